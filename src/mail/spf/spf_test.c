// spf_test: what the suite of openspf.org (tests/corpora) doesn't ask: who counts what, what decided, hostile DNS.
#include "mail/spf/spf.h"

#include "mail/oracle/oracle_zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct spf_verdict check(const char *zone, const char *ip, const char *sender, struct arena *arena) {
    struct err e;
    struct oracle_zone *z = oracle_zone_new(slice_str(zone), &e);
    if (!z)
        fail_msg("%s", e.text);
    struct spf_query q = {.helo = SLICE("helo.example.net"), .sender = slice_str(sender), .now = {0}};
    assert_true(netaddr_parse_ip(slice_str(ip), &q.ip));
    struct spf_verdict v;
    spf_check(&q, oracle_zone_oracle(z), arena, &v);
    oracle_zone_free(z);
    return v;
}

static void test_verdicts(void **state) {
    static const struct {
        const char *zone, *sender;
        enum spf_result result;
        const char *said; // mechanism, or the problem
    } table[] = {
        {"a.test TXT \"v=spf1 ip4:192.0.2.0/24 -all\"", "x@a.test", SPF_PASS, "a.test: ip4:192.0.2.0/24"},
        {"a.test TXT \"v=spf1 ip4:192.0.2.1 -all\"", "x@A.test", SPF_FAIL, "A.test: -all"},
        {"a.test TXT \"v=spf1 redirect=b.test\"\nb.test TXT \"v=spf1 ?all\"", "x@a.test", SPF_NEUTRAL, "b.test: ?all"},
        {"a.test TXT \"v=spf1 a\"\na.test A 192.0.2.1", "x@a.test", SPF_NEUTRAL, "a.test: nothing matches"},
        {"a.test TXT \"v=spf1 include:b.test -all\"\nb.test TXT \"v=spf1 ip4:192.0.2.7 -all\"", "x@a.test", SPF_PASS,
         "a.test: include:b.test"},
        {"helo.example.net TXT \"v=spf1 -all\"", "", SPF_FAIL, "helo.example.net: -all"},
        {"a.test TXT \"v=spf1 -all\"", "a.test", SPF_FAIL, "a.test: -all"},
        {"a.test TXT \"v=spf1 -all\"", "\"@\"@a.test", SPF_FAIL, "a.test: -all"},
        {"a.test TXT \"v=spf1 -all\"", "x@a.test.", SPF_FAIL, "a.test: -all"},
        {"xn--mnchen-3ya.test TXT \"v=spf1 -all\"", "x@m\xc3\xbcnchen.test", SPF_FAIL, "xn--mnchen-3ya.test: -all"},
        {"", "x@\xff.test", SPF_NONE, ""},
        {"", "x@a.test", SPF_NONE, ""},
        {"[192.0.2.7] SERVFAIL\na\\032b.test SERVFAIL", "x@[192.0.2.7]", SPF_NONE, ""},
        {"[192.0.2.7] SERVFAIL\na\\032b.test SERVFAIL", "x@a b.test", SPF_NONE, ""},
        {"test TXT \"v=spf1 -all\"", "x@test", SPF_NONE, ""},
        {"a.test TIMEOUT", "x@a.test", SPF_TEMPERROR, "TXT of a.test: time-out: the zone file says TIMEOUT"},
        {"a.test TXT \"v=spf1 mx -all\"\na.test MX TIMEOUT", "x@a.test", SPF_TEMPERROR,
         "MX of a.test: time-out: the zone file says TIMEOUT"},
        {"a.test TXT \"v=spf1 mx -all\"\na.test MX 1 m.test\nm.test SERVFAIL", "x@a.test", SPF_TEMPERROR,
         "A of m.test: look-up failed: the zone file says SERVFAIL"},
        {"a.test TXT \"v=spf1 foo\"", "x@a.test", SPF_PERMERROR,
         "a.test: the record is broken: column 8: there is no such mechanism (RFC 7208 5)"},
        {"a.test TXT \"v=spf1 include:b.test\"\nb.test TXT \"v=spf1 foo\"", "x@a.test", SPF_PERMERROR,
         "b.test: the record is broken: column 8: there is no such mechanism (RFC 7208 5)"},
        {"a.test TXT \"v=spf1 include:b.test\"", "x@a.test", SPF_PERMERROR,
         "a.test: include of b.test, which has no SPF record (RFC 7208 5.2)"},
        {"a.test TXT \"v=spf1 redirect=b.test\"", "x@a.test", SPF_PERMERROR,
         "a.test: redirect to b.test, which has no SPF record (RFC 7208 6.1)"},
        {"a.test TXT \"v=spf1\"\na.test TXT \"v=spf1\"", "x@a.test", SPF_PERMERROR,
         "a.test: more than one SPF record (RFC 7208 4.5)"},
        {"a.test TXT \"v=spf1 include:a.test\"", "x@a.test", SPF_PERMERROR,
         "a.test: more than 10 terms ask DNS (RFC 7208 4.6.4)"},
        {"a.test TXT \"v=spf1 a:x.test mx:y.test exists:z.test -all\"", "x@a.test", SPF_PERMERROR,
         "z.test: more than 2 look-ups found nothing (RFC 7208 4.6.4)"},
        // names that can't be asked for aren't asked for
        {"a.test TXT \"v=spf1 a:x..test mx:y..test exists:z..test a:u..test -all\"", "x@a.test", SPF_FAIL,
         "a.test: -all"},
        // a client's names are the client's doing
        {"a.test TXT \"v=spf1 ptr exists:%{p}.no.test -all\"\n7.2.0.192.in-addr.arpa PTR a.test\n"
         "7.2.0.192.in-addr.arpa PTR b.test\n7.2.0.192.in-addr.arpa PTR c.test",
         "x@a.test", SPF_FAIL, "a.test: -all"},
        {"a.test TXT \"v=spf1 ptr -all\"\n7.2.0.192.in-addr.arpa TIMEOUT", "x@a.test", SPF_FAIL, "a.test: -all"},
        {"a.test TXT \"v=spf1 ptr -all\"\n7.2.0.192.in-addr.arpa PTR x.nota.test\nx.nota.test A 192.0.2.7", "x@a.test",
         SPF_FAIL, "a.test: -all"},
        {"a.test TXT \"v=spf1 ptr -all\"\n7.2.0.192.in-addr.arpa PTR x.a.test\nx.a.test A 192.0.2.7", "x@a.test",
         SPF_PASS, "a.test: ptr"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ARENA_AUTO struct arena arena = {.max = 1 << 20};
        struct spf_verdict v = check(table[i].zone, "192.0.2.7", table[i].sender, &arena);
        bool broken = v.result == SPF_TEMPERROR || v.result == SPF_PERMERROR;
        struct slice said = broken ? v.problem : v.mechanism;
        if (v.result != table[i].result || !slice_eq(said, slice_str(table[i].said)))
            fail_msg("%s: %s \"%.*s\"", table[i].zone, spf_result_name(v.result), SLICE_ARG(said));
        assert_int_equal((broken ? v.mechanism : v.problem).n, 0);
    }
}

static void test_explanation(void **state) {
    static const struct {
        const char *exp, *said;
    } table[] = {
        {"%{i} may not send as %{S}; see %{r}", "192.0.2.7 may not send as x%40a.test; see unknown"},
        {"tab\\009", ""},
        {"%{x}", ""},
        {"\\195\\164", ""},
        {"%{p}", "unknown"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ARENA_AUTO struct arena arena = {.max = 1 << 20};
        struct slice zone =
            arena_printf(&arena, "a.test TXT \"v=spf1 exp=e.%%{d} -all\"\ne.a.test TXT \"%s\"", table[i].exp);
        struct spf_verdict v = check(zone.p, "192.0.2.7", "x@a.test", &arena);
        assert_int_equal(v.result, SPF_FAIL);
        if (!slice_eq(v.explanation, slice_str(table[i].said)))
            fail_msg("%s: %.*s", table[i].exp, SLICE_ARG(v.explanation));
    }
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct spf_verdict v =
        check("a.test TXT \"v=spf1 exp=e.test ~all\"\ne.test TXT x", "192.0.2.7", "x@a.test", &arena);
    assert_int_equal(v.explanation.n, 0);
}

// Ten includes of 60 KB each, and names that grow: it ends soon, with whatever.
static void test_large(void **state) {
    struct buf zone = {.max = 4 << 20};
    for (int i = 0; i < 12; i++) {
        buf_addf(&zone, "r%d.test TXT \"v=spf1", i);
        for (int j = 0; j < 2500; j++)
            buf_add_str(&zone, j % 2 ? " ip4:198.51.100.1" : " ip6:2001:db8::1");
        buf_addf(&zone, " exists:%%{sr}.%%{s}.%%{s}.%%{s}.%%{s}.%%{s}.%%{s}.%%{h} include:r%d.test -all\"\n", i + 1);
    }
    buf_add_char(&zone, 0);
    ARENA_AUTO struct arena arena = {.max = 65536};
    char sender[2048];
    memset(sender, 'a', sizeof sender);
    for (size_t i = 0; i < sizeof sender; i += 2)
        sender[i] = '.';
    memcpy(sender + sizeof sender - 9, "@r0.test", 9);
    struct spf_verdict v = check(zone.p, "192.0.2.7", sender, &arena);
    assert_int_equal(v.result, SPF_PERMERROR);
    buf_done(&zone);
}

// No memory is never a pass nor a fail.
static void test_full(void **state) {
    const char *zone = "a.test TXT \"v=spf1 exp=e.test -all\"\ne.test TXT why";
    for (size_t max = 0; max < 4096; max += 16) {
        ARENA_AUTO struct arena arena = {.max = max};
        struct spf_verdict v = check(zone, "192.0.2.7", "x@a.test", &arena);
        assert_true(v.result == SPF_TEMPERROR || v.result == SPF_FAIL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_explanation),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
