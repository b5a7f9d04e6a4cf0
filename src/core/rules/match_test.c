// match_test: what tables of each kind have and haven't, and lines that can't be read.
#include "core/rules/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct match *parse(enum config_table_kind kind, const char *text, size_t warnings) {
    struct recipient_warnings w = {0};
    struct match *m = match_parse(kind, slice_str(text), (struct hash_key){{1, 2}}, &w);
    if (w.n != warnings)
        for (size_t i = 0; i < w.n; i++)
            print_message("%u: %.*s\n", w.list[i].line, SLICE_ARG(w.list[i].text));
    assert_int_equal(w.n, warnings);
    recipient_warnings_done(&w);
    return m;
}

struct row {
    const char *value;
    bool has;
};

static void check(struct match *m, const struct row *rows, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (match_has(m, slice_str(rows[i].value)) != rows[i].has)
            fail_msg("%s: %s", rows[i].value, rows[i].has ? "not there" : "there");
    match_free(m);
}

#define CHECK(m, ...)                                                                                                  \
    do {                                                                                                               \
        static const struct row rows[] = {__VA_ARGS__};                                                                \
        check(m, rows, sizeof rows / sizeof *rows);                                                                    \
    } while (0)

static void test_names(void **state) {
    struct match *m = parse(CONFIG_TABLE_FILE,
                            "# friends\r\nExample.org\n  .below.example \n\nann@example.net\n@all.example\n"
                            "@.all-below.example\n192.0.2.0/24\n2001:db8::/32\n198.51.100.7\n\"quoted\"\n",
                            0);
    assert_int_equal(match_count(m), 9);
    CHECK(m, {"example.org", true}, {"EXAMPLE.ORG", true}, {"a.example.org", false}, {"below.example", false},
          {"a.below.example", true}, {"a.b.Below.example", true}, {"xbelow.example", false}, {"ann@example.net", true},
          {"Ann@Example.net", true}, {"bob@example.net", false}, {"x@all.example", true}, {"x@y.all.example", false},
          {"x@y.all-below.example", true}, {"x@all-below.example", false}, {"x@a.below.example", false},
          {"x@example.org", false}, {"192.0.2.77", true}, {"192.0.3.1", false}, {"2001:db8::1", true},
          {"2001:DB8:0::1", true}, {"2001:db9::1", false}, {"198.51.100.7", true}, {"::ffff:192.0.2.1", true},
          {"", false}, {".", false}, {"@", false}, {"a@", false}, {".below.example", true}, {"\"quoted\"", true},
          {"192.0.2.0/24", false});
}

static void test_inline(void **state) {
    struct match *m = parse(CONFIG_TABLE_INLINE, "alice\nsales: bob, carol\n\"2001:db8::/32\"\n@example.org\n", 0);
    CHECK(m, {"alice", true}, {"sales", true}, {"bob", false}, {"2001:db8::5", true}, {"x@example.org", true});
}

static void test_cidr(void **state) {
    struct match *m =
        parse(CONFIG_TABLE_CIDR,
              "192.0.2.0/24 ; SBL1\n192.0.2.0/25 # inside\n10.0.0.1\n::/0\n10.0.0.1/8\nhost\n0.0.0.0/33\n", 3);
    assert_int_equal(match_count(m), 4);
    CHECK(m, {"192.0.2.255", true}, {"192.0.1.255", false}, {"10.0.0.1", true}, {"10.0.0.2", false}, {"::1", true},
          {"host", false});
}

static void test_regex(void **state) {
    struct match *m = parse(CONFIG_TABLE_REGEX, "# x\n^dsl-.*\\.example$\n(spam|junk)@\n(open\nx{70000}\n", 2);
    CHECK(m, {"dsl-1.example", true}, {"DSL-1.EXAMPLE", true}, {"dsl-1xexample", false}, {"a-junk@b", true},
          {"", false});
}

// A pattern whose cost explodes, many times over: a look ends, with a no.
static void test_costly(void **state) {
    BUF_AUTO struct buf text = {.max = 65536};
    char value[512];
    for (size_t i = 0; i < MATCH_PATTERNS_MAX; i++)
        buf_add_str(&text, "^(a+)+$\n");
    buf_add_char(&text, '\0');
    memset(value, 'a', sizeof value);
    value[sizeof value - 1] = '!';
    struct match *m = parse(CONFIG_TABLE_REGEX, text.p, 0);
    assert_false(match_has(m, slice_of(value, sizeof value)));
    match_free(m);
}

static void test_limits(void **state) {
    struct recipient_warnings w = {0};
    BUF_AUTO struct buf text = {.max = MATCH_TEXT_MAX + 2};
    assert_non_null(buf_reserve(&text, MATCH_TEXT_MAX + 1));
    memset(text.p, '\n', MATCH_TEXT_MAX + 1);
    assert_null(match_parse(CONFIG_TABLE_FILE, slice_of(text.p, MATCH_TEXT_MAX + 1), (struct hash_key){{0}}, &w));
    assert_int_equal(w.n, 1);
    recipient_warnings_done(&w);
    memset(text.p, 'a', MATCH_VALUE_MAX + 1);
    struct match *m = match_parse(CONFIG_TABLE_FILE, slice_of(text.p, MATCH_VALUE_MAX), (struct hash_key){{0}}, &w);
    assert_true(match_has(m, slice_of(text.p, MATCH_VALUE_MAX)));
    assert_false(match_has(m, slice_of(text.p, MATCH_VALUE_MAX + 1)));
    match_free(m);
    recipient_warnings_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_inline), cmocka_unit_test(test_cidr),
        cmocka_unit_test(test_regex), cmocka_unit_test(test_costly), cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
