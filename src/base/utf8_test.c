// utf8_test: what is UTF-8 (RFC 3629), and cutting without tearing a character.
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_valid(void **state) {
    static const struct {
        const char *text;
        bool valid, ascii;
    } cases[] = {
        {"", true, true},
        {"plain text that is longer than a word", true, true},
        {"gr\xc3\xbc\xc3\x9f", true, false},
        {"12345678\xe2\x82\xac", true, false},
        {"\xf0\x9f\x93\xac", true, false},
        {"\xf4\x8f\xbf\xbf", true, false},
        {"\xf4\x90\x80\x80", false, false},
        {"\xed\xa0\x80", false, false},
        {"\xc0\xaf", false, false},
        {"\xe0\x80\xaf", false, false},
        {"1234567\x80", false, false},
        {"12345678\xff", false, false},
        {"\xe2\x82", false, false},
        {"\xc3(", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (utf8_valid(slice_str(cases[i].text)) != cases[i].valid)
            fail_msg("case %zu", i);
        assert_int_equal(utf8_ascii(slice_str(cases[i].text)), cases[i].ascii);
    }
    assert_true(utf8_valid(SLICE("\0")) && utf8_ascii(SLICE("\0")));
}

static void test_upto(void **state) {
    static const struct {
        const char *text;
        size_t max, n;
    } cases[] = {{"abc", 5, 3},
                 {"abc", 2, 2},
                 {"a\xe2\x82\xac", 4, 4},
                 {"a\xe2\x82\xac", 3, 1},
                 {"a\xe2\x82\xac", 2, 1},
                 {"\xe2\x82\xac", 1, 0},
                 {"", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(utf8_upto(slice_str(cases[i].text), cases[i].max).n, cases[i].n);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_valid), cmocka_unit_test(test_upto)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
