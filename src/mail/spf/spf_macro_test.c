// spf_macro_test: the examples of RFC 7208 7.4, and what bends the rules.
#include "mail/spf/spf_macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct spf_macro_values values_of(const char *ip) {
    struct spf_macro_values v = {
        .sender = SLICE("strong-bad@email.example.com"),
        .local = SLICE("strong-bad"),
        .sender_domain = SLICE("email.example.com"),
        .domain = SLICE("email.example.com"),
        .helo = SLICE("a b\"c.example"),
        .validated = SLICE("mx.example.org"),
        .now = {1234567890123},
    };
    assert_true(netaddr_parse_ip(slice_str(ip), &v.ip));
    return v;
}

static void test_expand(void **state) {
    static const struct {
        const char *text, *expanded;
    } table[] = {
        {"%{s}", "strong-bad@email.example.com"},
        {"%{o}", "email.example.com"},
        {"%{d4}", "email.example.com"},
        {"%{d3}", "email.example.com"},
        {"%{d2}", "example.com"},
        {"%{d1}", "com"},
        {"%{dr}", "com.example.email"},
        {"%{d2r}", "example.email"},
        {"%{d1R}", "email"},
        {"%{l}", "strong-bad"},
        {"%{l-}", "strong.bad"},
        {"%{lr}", "strong-bad"},
        {"%{lr-}", "bad.strong"},
        {"%{l1r-}", "strong"},
        {"%{l99999999999999999999r-}", "bad.strong"},
        {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
        {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
        {"%{p2}.trusted-domains.example.net", "example.org.trusted-domains.example.net"},
        {"%{H}", "a%20b%22c.example"},
        {"%{S}", "strong-bad%40email.example.com"},
        {"%{s1}", "com"},
        {"%%%_%-", "% %20"},
        {"%{c} %{t} %{r}", "192.0.2.3 1234567890 unknown"},
        {"", ""},
    };
    struct spf_macro_values v = values_of("192.0.2.3");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t at;
        const char *why = "";
        struct buf b = {.max = SPF_EXPANSION_MAX};
        assert_true(spf_macro_check(slice_str(table[i].text), true, &at, &why));
        assert_true(spf_macro_expand(slice_str(table[i].text), &v, &b));
        if (!slice_eq(buf_slice(&b), slice_str(table[i].expanded)))
            fail_msg("%s: %.*s", table[i].text, SLICE_ARG(buf_slice(&b)));
        buf_done(&b);
    }
}

static void test_ip6(void **state) {
    struct spf_macro_values v = values_of("2001:db8::cb01");
    BUF_AUTO struct buf b = {.max = 200}, c = {.max = 200};
    assert_true(spf_macro_expand(SLICE("%{ir}.%{v}"), &v, &b));
    assert_true(slice_eq(buf_slice(&b), SLICE("1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6")));
    assert_true(spf_macro_expand(SLICE("%{c}"), &v, &c));
    assert_true(slice_eq(buf_slice(&c), SLICE("2001:db8::cb01")));
}

static void test_check(void **state) {
    static const struct {
        const char *text;
        bool ok;
        size_t at;
    } table[] = {
        {"example.org", true, 0},  {"%{d}", true, 0},       {"a.%{d2}", true, 0},    {"a.%%", true, 0},
        {"example.org.", true, 0}, {"a.xn--p1ai", true, 0}, {"a:b/c.d1", true, 0},   {"%{d}.com", true, 0},
        {".com", true, 0},         {"", false, 0},          {"com", false, 0},       {"com.", false, 0},
        {"a.123", false, 2},       {"a.-com", false, 2},    {"a.com-", false, 2},    {"%{d}com", false, 4},
        {"a.%(d)", false, 2},      {"a.%", false, 2},       {"a.%{d", false, 2},     {"a.%{x}", false, 2},
        {"a.%{}", false, 2},       {"a.%{d0}", false, 2},   {"a.%{d2x}", false, 2},  {"a.%{rd}", false, 2},
        {"%{c}.org", false, 0},    {"%{r}", false, 0},      {"%{t}", false, 0},      {"a b.com", false, 1},
        {"a.%{d2rr}", false, 2},   {"a.%{d@}", false, 2},   {"a\x80.com", false, 1}, {"a.com/x", false, 2},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t at = 0;
        const char *why = NULL;
        bool ok = spf_macro_check_domain(slice_str(table[i].text), &at, &why);
        if (ok != table[i].ok || (!ok && (at != table[i].at || !why)))
            fail_msg("%s: %d at %zu", table[i].text, ok, at);
    }
    assert_true(spf_macro_uses_validated(SLICE("a%%p.%{P2}")));
    assert_false(spf_macro_uses_validated(SLICE("a%%p.%{d2}")));
}

// A record can't make much of little.
static void test_long(void **state) {
    struct spf_macro_values v = values_of("192.0.2.3");
    struct buf text = {.max = 65536}, to = {.max = SPF_EXPANSION_MAX};
    while (text.n < 60000)
        buf_add_str(&text, "%{sr}");
    assert_false(spf_macro_expand(buf_slice(&text), &v, &to));
    assert_true(to.n <= SPF_EXPANSION_MAX);
    buf_done(&text);
    buf_done(&to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_ip6),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
