// buf_test: growing up to the maximum, and the failure that sticks.
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_add(void **state) {
    struct buf b BUF_AUTO = {.max = 4096};
    assert_true(buf_add(&b, SLICE_EMPTY));
    assert_true(buf_add(&b, SLICE("a\0")));
    assert_true(buf_add_char(&b, 'c') && buf_add_str(&b, "de") && buf_addf(&b, "%d-%s", 42, "x"));
    assert_true(buf_add_u64(&b, 0) && buf_add_u64(&b, UINT64_MAX));
    assert_true(slice_eq(buf_slice(&b), SLICE("a\0cde42-x018446744073709551615")));
    buf_drop(&b, 3);
    assert_true(slice_starts(buf_slice(&b), SLICE("de42")));
    buf_drop(&b, b.n);
    buf_drop(&b, 0);
    assert_int_equal(b.n, 0);
}

static void test_maximum(void **state) {
    struct buf b BUF_AUTO = {.max = 10};
    assert_true(buf_add(&b, SLICE("0123456789")));
    assert_false(b.failed);
    assert_false(buf_add_char(&b, 'x'));
    assert_true(b.failed && b.n == 10);
    assert_false(buf_add(&b, SLICE_EMPTY)); // sticks
    buf_reset(&b);
    assert_false(buf_add(&b, SLICE("0123456789a")));
    assert_int_equal(b.n, 0);
    assert_false(buf_add_char(&b, 'x'));
    buf_trim(&b);
    assert_true(buf_add_char(&b, 'x') && b.max == 10);
    struct buf none = {0};
    assert_false(buf_add_char(&none, 'x'));
}

// As many bytes as fit must fit, whatever way they come.
static void test_format_fits_exactly(void **state) {
    struct buf b BUF_AUTO = {.max = 10};
    assert_true(buf_addf(&b, "%s", "0123456789"));
    assert_int_equal(b.n, 10);
    assert_false(buf_addf(&b, "%s", "x"));
    assert_int_equal(b.n, 10);
}

static void test_format_long(void **state) {
    struct buf b BUF_AUTO = {.max = 1000};
    assert_true(buf_addf(&b, "%255d", 1) && buf_addf(&b, "%256d", 2) && buf_addf(&b, "%489d", 3));
    assert_int_equal(b.n, 1000);
    assert_true(b.p[254] == '1' && b.p[510] == '2' && b.p[999] == '3');
    buf_reset(&b);
    assert_false(buf_addf(&b, "%1001d", 1));
    assert_true(b.failed && b.n == 0);
}

static void test_reserve(void **state) {
    struct buf b BUF_AUTO = {.max = 1000};
    char *p = buf_reserve(&b, 700);
    assert_non_null(p);
    memset(p, 'x', 700);
    buf_commit(&b, 3);
    assert_true(slice_eq(buf_slice(&b), SLICE("xxx")));
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_add), cmocka_unit_test(test_maximum),
                                       cmocka_unit_test(test_format_fits_exactly), cmocka_unit_test(test_format_long),
                                       cmocka_unit_test(test_reserve)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
