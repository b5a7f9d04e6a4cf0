// err_test: filling errors, and context in front of them.
#include "base/err.h"

#include <errno.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_set(void **state) {
    struct err e;
    assert_false(err_set(&e, ERR_TIMEOUT, "after %d s", 5));
    assert_true(e.kind == ERR_TIMEOUT && e.smtp == 0 && e.sys == 0 && e.enhanced[0] == 0);
    assert_string_equal(e.text, "after 5 s");
    assert_false(err_set(NULL, ERR_BUG, "nobody listens"));
    assert_false(err_smtp(NULL, 550, "5.1.1", "nobody listens"));
    assert_false(err_sys(NULL, ENOENT, "nobody listens"));
    assert_false(err_while(NULL, "nobody listens"));
}

static void test_smtp(void **state) {
    struct err e;
    err_smtp(&e, 550, "5.7.26", "no");
    assert_true(e.kind == ERR_PERMANENT && e.smtp == 550);
    assert_true(e.enhanced[0] == 5 && e.enhanced[1] == 7 && e.enhanced[2] == 26);
    err_smtp(&e, 451, NULL, "later");
    assert_true(e.kind == ERR_TEMPORARY && e.enhanced[0] == 0 && !err_is_permanent(&e));
}

static void test_sys_and_while(void **state) {
    struct err e;
    err_sys(&e, ENOSPC, "writing to %s", "x");
    assert_true(e.kind == ERR_TEMPORARY && e.sys == ENOSPC);
    assert_string_equal(e.text, "writing to x: No space left on device");
    assert_false(err_while(&e, "keeping %d", 7));
    assert_string_equal(e.text, "keeping 7: writing to x: No space left on device");
    assert_int_equal(e.sys, ENOSPC);
}

static void test_cut(void **state) {
    struct err e;
    char text[2 * ERR_TEXT];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    err_set(&e, ERR_BUG, "%s", text);
    assert_int_equal(strlen(e.text), ERR_TEXT - 1);
    err_while(&e, "context");
    assert_true(slice_starts(slice_str(e.text), SLICE("context: xxx")));
    assert_int_equal(strlen(e.text), ERR_TEXT - 1);
    err_sys(&e, EIO, "%s", text);
    err_while(&e, "%s", text);
    assert_int_equal(strlen(e.text), ERR_TEXT - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_set), cmocka_unit_test(test_smtp),
                                       cmocka_unit_test(test_sys_and_while), cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
