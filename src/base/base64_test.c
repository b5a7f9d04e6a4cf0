// base64_test: the vectors of RFC 4648 10, and what is refused.
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_both_ways(void **state) {
    static const struct {
        struct slice bytes;
        const char *text;
    } cases[] = {
        {{"", 0}, ""},
        {{"f", 1}, "Zg=="},
        {{"fo", 2}, "Zm8="},
        {{"foo", 3}, "Zm9v"},
        {{"foob", 4}, "Zm9vYg=="},
        {{"fooba", 5}, "Zm9vYmE="},
        {{"foobar", 6}, "Zm9vYmFy"},
        {{"\0\xff\xfe\xfb", 4}, "AP/++w=="},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf text BUF_AUTO = {.max = 64}, bytes BUF_AUTO = {.max = 64};
        assert_true(base64_encode(&text, cases[i].bytes));
        assert_true(slice_eq(buf_slice(&text), slice_str(cases[i].text)));
        assert_true(base64_decode(&bytes, buf_slice(&text)));
        assert_true(slice_eq(buf_slice(&bytes), cases[i].bytes));
    }
}

static void test_refused(void **state) {
    static const char *const cases[] = {"Z",    "Zg",       "Zg=",   "Zg=== ", "=",    "====", "Z===",   "Zh==",
                                        "Zm9=", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Zm-_", "Zg=a", "Z\xc3g="};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b BUF_AUTO = {.max = 64};
        buf_add_char(&b, 'x');
        if (base64_decode(&b, slice_str(cases[i])))
            fail_msg("%s: taken", cases[i]);
        assert_int_equal(b.n, 1);
    }
    struct buf small BUF_AUTO = {.max = 4};
    assert_false(base64_decode(&small, SLICE("Zm9vYmFy")));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_ways), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
