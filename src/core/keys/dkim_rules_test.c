// dkim_rules_test: which keys sign for whom.
#include "core/keys/dkim_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct message_keys_dkim rule(const char *domain, const char *signer) {
    return (struct message_keys_dkim){.domain = slice_str(domain), .signer = slice_str(signer)};
}

static void test_pick(void **state) {
    const struct message_keys_dkim rules[] = {
        rule("*", "provider.example"),                 // 0
        rule("example.org", "example.org"),            // 1
        rule(".example.org", "example.org"),           // 2
        rule("example.org", "example.org"),            // 3
        rule(".deep.example.org", "deep.example.org"), // 4
        rule("other.example", "provider.example"),     // 5
        rule("other.example", "other.example"),        // 6
        rule("many.example", "a.test"),
        rule("many.example", "b.test"), // 7, 8
        rule("many.example", "c.test"),
        rule("many.example", "many.example"), // 9, 10
        rule("many.example", "d.test"),       // 11
    };
    static const struct {
        const char *from;
        size_t n, which[DKIM_RULES_MAX];
    } table[] = {
        {"example.org", 2, {1, 3}},
        {"EXAMPLE.Org", 2, {1, 3}},
        {"a.example.org", 1, {2}},
        {"deep.example.org", 1, {2}},
        {"x.deep.example.org", 1, {4}},
        {"y.x.Deep.example.org", 1, {4}},
        {"notexample.org", 1, {0}},
        {"org", 1, {0}},
        {"other.example", 2, {6, 5}},
        {"many.example", 4, {10, 7, 8, 9}},
        {"", 0, {0}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t which[DKIM_RULES_MAX];
        assert_int_equal(dkim_rules_pick(rules, 12, slice_str(table[i].from), which), table[i].n);
        for (size_t k = 0; k < table[i].n; k++)
            assert_int_equal(which[k], table[i].which[k]);
    }
    size_t which[DKIM_RULES_MAX];
    assert_int_equal(dkim_rules_pick(rules + 1, 11, SLICE("nobody.example"), which), 0);
    assert_int_equal(dkim_rules_pick(NULL, 0, SLICE("example.org"), which), 0);
}

static void test_aligned(void **state) {
    assert_true(dkim_rules_aligned(SLICE("example.org"), SLICE("Example.org")));
    assert_true(dkim_rules_aligned(SLICE("example.org"), SLICE("a.b.example.org")));
    assert_true(dkim_rules_aligned(SLICE("a.example.org"), SLICE("example.org")));
    assert_false(dkim_rules_aligned(SLICE("example.org"), SLICE("notexample.org")));
    assert_false(dkim_rules_aligned(SLICE("a.example.org"), SLICE("b.example.org")));
    assert_false(dkim_rules_aligned(SLICE(""), SLICE("example.org")));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pick), cmocka_unit_test(test_aligned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
