// oracle_zone_test: zones in many hands' writing, and what is answered from them.
#include "mail/oracle/oracle_zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// "OK 10 mx.example, 20 other", "NXDOMAIN".
static struct slice ask(struct oracle_zone *z, enum oracle_type type, struct slice name, struct arena *arena) {
    struct oracle_answer a;
    oracle_ask(oracle_zone_oracle(z), type, name, arena, &a);
    struct buf b = {.max = 4096};
    buf_add_str(&b, oracle_status_name(a.status));
    assert_int_equal(a.status == ORACLE_OK, a.n > 0);
    for (size_t i = 0; i < a.n; i++) {
        buf_add_str(&b, i ? ", " : " ");
        if (type == ORACLE_MX)
            buf_addf(&b, "%d ", a.records[i].preference);
        if (a.records[i].ip.family)
            netaddr_add_ip(&b, &a.records[i].ip);
        buf_add(&b, a.records[i].text);
    }
    struct slice text = arena_dup(arena, buf_slice(&b));
    buf_done(&b);
    return text;
}

struct question {
    enum oracle_type type;
    const char *name, *answer;
};

static void check(const char *zone, const struct question *questions, size_t n) {
    struct err e;
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct oracle_zone *z = oracle_zone_new(slice_str(zone), &e);
    if (!z)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < n; i++) {
        struct slice got = ask(z, questions[i].type, slice_str(questions[i].name), &arena);
        if (!slice_eq(got, slice_str(questions[i].answer)))
            fail_msg("%s %s: %.*s, not %s", oracle_type_name(questions[i].type), questions[i].name, SLICE_ARG(got),
                     questions[i].answer);
    }
    oracle_zone_free(z);
}

#define CHECK(zone, ...)                                                                                               \
    do {                                                                                                               \
        static const struct question asked[] = {__VA_ARGS__};                                                          \
        check(zone, asked, sizeof asked / sizeof *asked);                                                              \
    } while (0)

static void test_records(void **state) {
    CHECK("$ORIGIN example.org.\n$TTL 1h\n"
          "@ 300 IN SOA ns hostmaster ( 1 ; serial\n 2 3\n 4 5 )\n"
          "\tIN NS ns\n"
          "  IN 300 MX 10 mx\n"
          "  MX 20 mx.example.net.\n"
          "mx a 192.0.2.1\n   AAAA 2001:db8::1\n"
          "     A 192.0.2.2 ; the second\r\n"
          "1.2.0.192.in-addr.arpa. PTR MX\n"
          "null MX 0 .\n"
          "a\\.b\\032c TXT escaped\n",
          {ORACLE_MX, "example.org", "OK 10 mx.example.org, 20 mx.example.net"},
          {ORACLE_MX, "EXAMPLE.org.", "OK 10 mx.example.org, 20 mx.example.net"},
          {ORACLE_A, "mx.example.org", "OK 192.0.2.1, 192.0.2.2"}, {ORACLE_AAAA, "Mx.example.org", "OK 2001:db8::1"},
          {ORACLE_PTR, "1.2.0.192.in-addr.arpa", "OK mx.example.org"}, {ORACLE_MX, "null.example.org", "OK 0 "},
          {ORACLE_A, "example.org", "NODATA"}, {ORACLE_A, "x.example.org", "NXDOMAIN"}, {ORACLE_A, "org", "NODATA"},
          {ORACLE_A, "", "NODATA"}, {ORACLE_A, ".", "NODATA"}, {ORACLE_TXT, "a.b c.example.org", "NXDOMAIN"});
}

static void test_liberal(void **state) {
    CHECK("\xef\xbb\xbf# not master-file syntax\n"
          "example.org TXT v=spf1 -all\n"
          "    example.com. txt \"v=spf1 \" \"mx -all\" ; comment\n"
          "_dmarc.example.org IN TXT v=DMARC1; p=reject;  rua=mailto:a@b ; comment\n"
          "k._domainkey.example.org TXT ( \"v=DKIM1; \"\n  \"p=AA\" \"BB\"\n )\n"
          "quote TXT \"a\\\"b\\\\\\065\\;\"\n"
          "empty TXT \"\"\n"
          "both 60 TXT one\nboth IN 60 TXT two\n"
          "mx MX mail.example.org\n"
          "old SPF \"v=spf1 -all\"\n"
          "x TYPE65534 \\# 0\n",
          {ORACLE_TXT, "example.org", "OK v=spf1 -all"}, {ORACLE_TXT, "example.com", "OK v=spf1 mx -all"},
          {ORACLE_TXT, "_DMARC.example.org", "OK v=DMARC1; p=reject;  rua=mailto:a@b"},
          {ORACLE_TXT, "k._domainkey.example.org", "OK v=DKIM1; p=AABB"}, {ORACLE_TXT, "quote", "OK a\"b\\A;"},
          {ORACLE_TXT, "empty", "OK "}, {ORACLE_TXT, "both", "OK one, two"}, {ORACLE_MX, "mx", "OK 0 mail.example.org"},
          {ORACLE_TXT, "old", "NODATA"}, {ORACLE_A, "x", "NODATA"}, {ORACLE_TXT, "_domainkey.example.org", "NODATA"});
}

// Names as people write them, and as DNS has them.
static void test_idn(void **state) {
    CHECK("*.b\xc3\xbc"
          "cher.test TXT any\nj\xc3\xb6.test A 192.0.2.1\n\xff.test A 192.0.2.2\n",
          {ORACLE_TXT, "x.xn--bcher-kva.test", "OK any"}, {ORACLE_A, "j\xc3\xb6.test", "OK 192.0.2.1"},
          {ORACLE_A, "xn--j-1ga.test", "OK 192.0.2.1"}, {ORACLE_A, "\xff.test", "OK 192.0.2.2"},
          {ORACLE_TXT, "bcher.test", "NXDOMAIN"});
}

// A zone whose first line has no name is about its origin.
static void test_owner_before_any(void **state) {
    CHECK("$ORIGIN example.org.\n$TTL 300\n  IN TXT \"v=spf1 -all\"\n  MX 0 .\n",
          {ORACLE_TXT, "example.org", "OK v=spf1 -all"}, {ORACLE_MX, "example.org", "OK 0 "});
}

// What other types hold, and comments, are nobody's syntax.
static void test_passed_over(void **state) {
    CHECK("# a comment (with \"one\n"
          "\t# and another (\n"
          "example.org SOA ns host ( 1;serial (the \"first\n 2 3 4 5 ) ; done\n"
          "  CAA 0 issue \"ca.example; x=(y\"\n"
          "  EUI48 00-00-5e-00-53-2a\n  KX 10 x\n  ZONEMD 1 1 1 ( AA\n BB )\n  NSAP-PTR x.\n"
          "$ORIGIN elsewhere.\n  TXT after ; a \"comment (\n",
          {ORACLE_TXT, "example.org", "OK after"}, {ORACLE_A, "x", "NXDOMAIN"}, {ORACLE_TXT, "#", "NXDOMAIN"});
}

static void test_failures(void **state) {
    CHECK("slow.example. TIMEOUT\n"
          "slow.example. A 192.0.2.1\n"
          "broken.example. 60 IN SERVFAIL\n"
          "gone.example. NXDOMAIN\n"
          "one.example. TXT TIMEOUT\none.example. MX servfail\none.example. AAAA NXDOMAIN\n"
          "other.example. TIMEOUT TXT\n"
          "quoted.example. TXT \"TIMEOUT\"\n"
          "*.wild.example. SERVFAIL\n"
          "deep.gone.here.test. NXDOMAIN\n",
          {ORACLE_TXT, "slow.example", "TIMEOUT"}, {ORACLE_A, "slow.example", "OK 192.0.2.1"},
          {ORACLE_A, "x.slow.example", "NXDOMAIN"}, {ORACLE_A, "broken.example", "FAILED"},
          {ORACLE_A, "gone.example", "NXDOMAIN"}, {ORACLE_TXT, "one.example", "TIMEOUT"},
          {ORACLE_MX, "one.example", "FAILED"}, {ORACLE_AAAA, "one.example", "NXDOMAIN"},
          {ORACLE_A, "one.example", "NODATA"}, {ORACLE_TXT, "other.example", "TIMEOUT"},
          {ORACLE_MX, "other.example", "NODATA"}, {ORACLE_TXT, "quoted.example", "OK TIMEOUT"},
          {ORACLE_MX, "a.b.wild.example", "FAILED"}, {ORACLE_MX, "here.test", "NXDOMAIN"});
}

static void test_wildcards_and_aliases(void **state) {
    CHECK("*.example. TXT any\nsub.example. A 192.0.2.1\nx.empty.example. A 192.0.2.2\n"
          "*.example. MX 5 mx.example.\n"
          "a.test CNAME b.test\nb.test CNAME c.example\nc.test CNAME nowhere\n"
          "round.test CNAME about.test\nabout.test CNAME round.test\n"
          "*.alias.test CNAME sub.example\n",
          {ORACLE_TXT, "foo.example", "OK any"}, {ORACLE_TXT, "a.b.foo.example", "OK any"},
          {ORACLE_TXT, "sub.example", "NODATA"}, {ORACLE_TXT, "a.sub.example", "NXDOMAIN"},
          {ORACLE_TXT, "empty.example", "NODATA"}, {ORACLE_TXT, "y.empty.example", "NXDOMAIN"},
          {ORACLE_TXT, "*.example", "OK any"}, {ORACLE_A, "foo.example", "NODATA"}, {ORACLE_TXT, "a.test", "OK any"},
          {ORACLE_A, "c.test", "NXDOMAIN"}, {ORACLE_A, "round.test", "FAILED"},
          {ORACLE_A, "x.y.alias.test", "OK 192.0.2.1"});
}

static void test_names(void **state) {
    char zone[1024], label[65], name[128];
    memset(label, 'a', 64);
    label[64] = 0;
    snprintf(zone, sizeof zone,
             "%s.test A 192.0.2.1\n A 192.0.2.2\n%s.test A 192.0.2.3\nfoo:bar/baz.test A 192.0.2.4\n", label,
             label + 1);
    struct err e;
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct oracle_zone *z = oracle_zone_new(slice_str(zone), &e);
    assert_non_null(z);
    snprintf(name, sizeof name, "%s.test", label);
    assert_true(slice_eq(ask(z, ORACLE_A, slice_str(name), &arena), SLICE("FAILED")));
    assert_true(slice_eq(ask(z, ORACLE_A, slice_str(name + 1), &arena), SLICE("OK 192.0.2.3")));
    assert_true(slice_eq(ask(z, ORACLE_A, SLICE("foo:bar/baz.test"), &arena), SLICE("OK 192.0.2.4")));
    assert_true(slice_eq(ask(z, ORACLE_A, SLICE("a..test"), &arena), SLICE("FAILED")));
    assert_true(slice_eq(ask(z, ORACLE_A, SLICE("a\0b"), &arena), SLICE("NXDOMAIN")));
    assert_true(oracle_zone_add(z, SLICE("a\\000b A 192.0.2.5"), &e));
    assert_true(slice_eq(ask(z, ORACLE_A, SLICE("a\0b"), &arena), SLICE("OK 192.0.2.5")));
    ARENA_AUTO struct arena none = {.max = 0};
    struct oracle_answer a;
    oracle_ask(oracle_zone_oracle(z), ORACLE_A, SLICE("a\0b"), &none, &a);
    assert_int_equal(a.status, ORACLE_FAILED);
    oracle_zone_free(z);
}

static void test_errors(void **state) {
    static const struct {
        const char *zone, *error;
    } table[] = {
        {"a A 1.2.3.4\nb A 1.2.3\n", "line 2: expected an IPv4 address, found \"1.2.3\""},
        {"a A ::1", "line 1: expected an IPv4 address, found \"::1\""},
        {"a AAAA 1.2.3.4", "line 1: expected an IPv6 address, found \"1.2.3.4\""},
        {"a A", "line 1: expected an IPv4 address"},
        {"a A 1.2.3.4 1.2.3.5", "line 1: expected the end of the line, found \"1.2.3.5\""},
        {"\n\na FOO bar",
         "line 3: expected a type as A, AAAA, MX, PTR, TXT, CNAME, TIMEOUT, SERVFAIL or NXDOMAIN, found "
         "\"FOO\""},
        {"a TXT \"open\n", "line 1: expected a closing quote, found \"\"open\""},
        {"a TXT ( \"x\"\n\n", "line 3: expected a closing parenthesis"},
        {"a TXT", "line 1: expected a text"},
        {"a MX 10", "line 1: expected a preference and a name"},
        {"a..b A 1.2.3.4", "line 1: expected a name without empty labels, found \"a..b\""},
        {" A 1.2.3.4", "line 1: expected a name at the beginning of the line, found \"A\""},
        {"$INCLUDE x", "line 1: expected $ORIGIN or $TTL, found \"$INCLUDE\""},
        {"$TTL x", "line 1: expected a number of seconds, found \"x\""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct err e = {.kind = ERR_BUG};
        assert_null(oracle_zone_new(slice_str(table[i].zone), &e));
        assert_string_equal(e.text, table[i].error);
        assert_int_equal(e.kind, ERR_PERMANENT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),     cmocka_unit_test(test_liberal),
        cmocka_unit_test(test_failures),    cmocka_unit_test(test_wildcards_and_aliases),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_passed_over), cmocka_unit_test(test_owner_before_any),
        cmocka_unit_test(test_idn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
