// dkim_store_test: the list of a domain's keys.
#include "core/keys/dkim_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LIST                                                                                                           \
    "20250101r retiring 2026-11-14T00:00:00Z\n"                                                                        \
    "20261121r active 2026-11-21T10:41:15Z\n"                                                                          \
    "20261121e pending 2028-02-29T23:59:59Z\n"

static void test_list(void **state) {
    BUF_AUTO struct buf text = {.max = DKIM_STORE_TEXT_MAX};
    struct dkim_store s;
    struct err e;
    assert_true(dkim_store_parse(SLICE(LIST), &s, &e));
    assert_int_equal(s.n, 3);
    assert_int_equal(s.keys[1].state, DKIM_STORE_ACTIVE);
    assert_true(s.keys[1].since.ms == INT64_C(1795257675000));
    assert_ptr_equal(dkim_store_find(&s, SLICE("20261121e")), &s.keys[2]);
    assert_null(dkim_store_find(&s, SLICE("2026")));
    assert_true(dkim_store_print(&s, &text));
    assert_true(slice_eq(buf_slice(&text), SLICE(LIST)));
    assert_true(dkim_store_parse(SLICE("# none\r\n\n  a\tactive  1970-01-01T00:00:00Z \r\n\t#"), &s, &e));
    assert_int_equal(s.n, 1);
    assert_true(s.keys[0].since.ms == 0);
    assert_true(dkim_store_parse(SLICE(""), &s, &e));
    assert_int_equal(s.n, 0);
}

static void test_mistakes(void **state) {
    static const char *const table[][2] = {
        {"a", "line 1: after"},
        {"\na asleep 2026-11-21T10:41:15Z", "line 2: after"},
        {"a active", "line 1: at its end"},
        {"a active 2026-11-21", "line 1: at its end"},
        {"a active 2026-13-21T10:41:15Z", "line 1: at its end"},
        {"a active 2026-11-21T24:41:15Z", "line 1: at its end"},
        {"a active 2026-11-21T10:41:15Z now", "line 1: at its end"},
        {"../a active 2026-11-21T10:41:15Z", "line 1 begins"},
        {"A active 2026-11-21T10:41:15Z", "line 1 begins"},
        {"a active 2026-11-21T10:41:15Z\na active 2026-11-21T10:41:15Z", "line 2: the selector a is there twice"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct dkim_store s;
        struct err e;
        assert_false(dkim_store_parse(slice_str(table[i][0]), &s, &e));
        if (!strstr(e.text, table[i][1]))
            fail_msg("%s: %s", table[i][0], e.text);
    }
}

static void test_many(void **state) {
    BUF_AUTO struct buf text = {.max = DKIM_STORE_TEXT_MAX};
    struct dkim_store s;
    struct err e;
    for (unsigned i = 0; i < DKIM_STORE_KEYS_MAX; i++)
        buf_addf(&text, "k%u active 2026-11-21T10:41:15Z\n", i);
    assert_true(dkim_store_parse(buf_slice(&text), &s, &e));
    buf_addf(&text, "one-more active 2026-11-21T10:41:15Z\n");
    assert_false(dkim_store_parse(buf_slice(&text), &s, &e));
    while (text.n < DKIM_STORE_TEXT_MAX)
        buf_add_char(&text, ' ');
    text.max++;
    buf_add_char(&text, ' ');
    assert_false(dkim_store_parse(buf_slice(&text), &s, &e));
    assert_non_null(strstr(e.text, "longer"));
}

static void test_names(void **state) {
    static const char *const good[] = {"a", "example.org", "xn--bcher-kva.example", "_x.example.org", "2026"};
    static const char *const bad[] = {"", ".", "..", "a..b", ".a", "a.", "a/b", "Example.org", "-x", "a b", "a\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(dkim_store_domain_ok(slice_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(dkim_store_domain_ok(slice_str(bad[i])));
    assert_false(dkim_store_selector_ok(SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
