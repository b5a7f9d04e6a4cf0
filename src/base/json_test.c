// json_test: what the writer makes of values and of hostile text.
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_text(const struct buf *b, const char *want) {
    struct slice w = slice_str(want);
    if (!slice_eq(buf_slice(b), w))
        fail_msg("got %.*s, want %s", SLICE_ARG(buf_slice(b)), want);
}

static void test_structure(void **state) {
    struct buf b BUF_AUTO = {.max = 4096};
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_slice(&j, "id", SLICE("a\"b"));
    json_key(&j, "list");
    json_open_array(&j);
    json_u64(&j, UINT64_MAX);
    json_i64(&j, INT64_MIN);
    json_open_array(&j);
    json_end(&j);
    json_open_object(&j);
    json_end(&j);
    json_nothing(&j);
    json_end(&j);
    json_put_bool(&j, "yes", true);
    json_put_str(&j, "none", NULL);
    json_key(&j, "age");
    json_seconds(&j, -1005);
    assert_false(json_whole(&j));
    json_end(&j);
    assert_true(json_whole(&j));
    assert_text(&b, "{\"id\":\"a\\\"b\",\"list\":[18446744073709551615,-9223372036854775808,[],{},null],\"yes\":true,"
                    "\"none\":null,\"age\":-1.005}");
}

static void test_depth(void **state) {
    struct buf b BUF_AUTO = {.max = 4096};
    struct json j = {.out = &b};
    for (int i = 0; i < JSON_DEPTH; i++)
        json_open_array(&j);
    for (int i = 0; i < JSON_DEPTH; i++)
        json_end(&j);
    assert_true(json_whole(&j));
    assert_int_equal(b.n, 2 * JSON_DEPTH);
}

static void test_escape(void **state) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain text", "plain text"},
        {"a\"b\\c", "a\\\"b\\\\c"},
        {"line\r\nbreak\t", "line\\u000d\\nbreak\\u0009"},
        {"\x1b[31m\x7f", "\\u001b[31m\\u007f"},
        {"gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x93\xac", "gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x93\xac"},
        {"\xc2\x9b", "\\u009b"},                                  // C1 control sequence introducer
        {"\xe2\x80\xae", "\\u202e"},                              // right-to-left override
        {"\xe2\x80\xa8", "\\u2028"},                              // line separator
        {"\xf3\xa0\x80\x81", "\\udb40\\udc01"},                   // language tag
        {"\xff", "\xef\xbf\xbd"},                                 // never in UTF-8
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 // overlong slash
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, // surrogate
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"}, // cut
        {"\xe2\x82"
         "a",
         "\xef\xbf\xbd\xef\xbf\xbd"
         "a"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b BUF_AUTO = {.max = 256};
        assert_true(json_escape(&b, slice_str(cases[i].in)));
        assert_text(&b, cases[i].out);
    }
    struct buf b BUF_AUTO = {.max = 64};
    assert_true(json_escape(&b, SLICE("a\0b")));
    assert_text(&b, "a\\u0000b");
}

static void test_full(void **state) {
    struct buf b BUF_AUTO = {.max = 8};
    struct json j = {.out = &b};
    json_open_array(&j);
    json_slice(&j, SLICE("longer than that"));
    json_end(&j);
    assert_true(b.failed);
    assert_true(json_whole(&j));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
