// spf_record_test: records that are well-formed, and where others aren't.
#include "mail/spf/spf_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_good(void **state) {
    static const struct {
        const char *record;
        size_t mechanisms;
    } table[] = {
        {"v=spf1", 0},
        {"V=SPF1 ", 0},
        {"v=spf1 -all", 1},
        {"v=spf1   ~A  ?Mx/24//64 -all  ", 3},
        {"v=spf1 a:%{d}/8 ip4:192.0.2.1/24 ip6:2001:db8::/32 ip6:::ffff:1.2.3.4 ptr:example.org exists:%{i}.x.org", 6},
        {"v=spf1 redirect=_spf.example.org exp=e.example.org x.y-z=%{l}:/ all", 1},
        {"v=spf1 include:example.org. a:b/c.example.org//64", 2},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct err e;
        struct spf_record r;
        if (!spf_record_parse(slice_str(table[i].record), &r, &e))
            fail_msg("%s: %s", table[i].record, e.text);
        struct spf_term t;
        size_t n = 0;
        while (spf_record_next(&r.terms, &t))
            n++;
        assert_int_equal(n, table[i].mechanisms);
    }
}

static void test_terms(void **state) {
    struct err e;
    struct spf_record r;
    struct spf_term t;
    assert_true(spf_record_parse(SLICE("v=spf1 ?MX:m.example.org/20//60 exp=x.org ip6:::FFFF:1.2.3.4/120"), &r, &e));
    assert_true(slice_eq(r.exp, SLICE("x.org")));
    assert_true(spf_record_next(&r.terms, &t));
    assert_int_equal(t.mechanism, SPF_MX);
    assert_int_equal(t.result, SPF_NEUTRAL);
    assert_true(slice_eq(t.domain, SLICE("m.example.org")));
    assert_true(slice_eq(t.text, SLICE("?MX:m.example.org/20//60")));
    assert_int_equal(t.bits4, 20);
    assert_int_equal(t.bits6, 60);
    assert_true(spf_record_next(&r.terms, &t));
    assert_int_equal(t.mechanism, SPF_IP6);
    assert_int_equal(t.bits6, 120);
    assert_memory_equal(t.ip, ((uint8_t[16]){[10] = 255, 255, 1, 2, 3, 4}), 16);
    assert_false(spf_record_next(&r.terms, &t));
}

static void test_bad(void **state) {
    static const struct {
        const char *record, *error;
    } table[] = {
        {"v=spf10", "column 1: expected v=spf1 and a space (RFC 7208 4.5)"},
        {"v=spf1 moo -all", "column 8: there is no such mechanism (RFC 7208 5)"},
        {"v=spf1 -all.", "column 9: there is no such mechanism (RFC 7208 5)"},
        {"v=spf1 -all/8", "column 12: this can't follow the mechanism"},
        {"v=spf1 all:x.org", "column 11: this can't follow the mechanism"},
        {"v=spf1 ip4:1.2.3", "column 12: not an IPv4 address (RFC 7208 5.6)"},
        {"v=spf1 ip4:1.2.3.4/33", "column 20: an IPv4 prefix length is 0 to 32 (RFC 7208 5.6)"},
        {"v=spf1 ip4:1.2.3.4/08", "column 20: an IPv4 prefix length is 0 to 32 (RFC 7208 5.6)"},
        {"v=spf1 ip4:1.2.3.4//8", "column 12: not an IPv4 address (RFC 7208 5.6)"},
        {"v=spf1 ip4", "column 11: expected : and an address"},
        {"v=spf1 ip4:", "column 12: not an IPv4 address (RFC 7208 5.6)"},
        {"v=spf1 ip6:/64", "column 12: not an IPv6 address (RFC 7208 5.6)"},
        {"v=spf1 a/", "column 10: an IPv4 prefix length is 0 to 32 (RFC 7208 5.6)"},
        {"v=spf1 ip4:::1", "column 12: not an IPv4 address (RFC 7208 5.6)"},
        {"v=spf1 ip6:1.2.3.4", "column 12: not an IPv6 address (RFC 7208 5.6)"},
        {"v=spf1 a/24/64", "column 13: an IPv4 prefix length is 0 to 32 (RFC 7208 5.6)"},
        {"v=spf1 mx//129", "column 12: an IPv6 prefix length is 0 to 128 (RFC 7208 5.6)"},
        {"v=spf1 include", "column 15: expected : and a domain"},
        {"v=spf1 include:", "column 16: a domain is missing"},
        {"v=spf1 ptr/24", "column 11: this can't follow the mechanism"},
        {"v=spf1 a:museum",
         "column 10: a domain ends with a dot and a top-level domain, or with a macro (RFC 7208 7.1)"},
        {"v=spf1 redirect=a.org redirect=b.org", "column 23: this modifier is there twice (RFC 7208 6)"},
        {"v=spf1 exp=", "column 12: a domain is missing"},
        {"v=spf1 foo=%x", "column 12: % is followed by none of { % _ -"},
        {"v=spf1 foo=%{c}", "column 12: this macro is for explanations only (RFC 7208 7.2)"},
        {"v=spf1 1up=foo", "column 8: there is no such mechanism (RFC 7208 5)"},
        {"v=spf1 a:%{x}", "column 10: there is no such macro"},
        {"v=spf1\ta", "column 1: expected v=spf1 and a space (RFC 7208 4.5)"},
        {"v=spf1 a\tmx", "column 9: not a visible ASCII character (RFC 7208 3.1)"},
        {"v=spf1 a\xc3\xa9", "column 9: not a visible ASCII character (RFC 7208 3.1)"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct err e = {.kind = ERR_BUG};
        assert_false(spf_record_check(slice_str(table[i].record), &e));
        assert_string_equal(e.text, table[i].error);
        assert_int_equal(e.kind, ERR_PERMANENT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
