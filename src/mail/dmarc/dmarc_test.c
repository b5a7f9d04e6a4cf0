// dmarc_test: records as receivers read them, and verdicts over small zones.
#include "mail/dmarc/dmarc.h"

#include "mail/dmarc/dmarc_record.h"
#include "mail/oracle/oracle_zone.h"
#include "mail/dmarc/report_uri.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct record_row {
    const char *text;
    enum dmarc_text what;
    const char *check; // NULL: nothing is wrong with it; else the start of what is
} records[] = {
    {"v=DMARC1; p=none", DMARC_TEXT_POLICY, NULL},
    {"v=DMARC1;p=reject;", DMARC_TEXT_POLICY, NULL},
    {"V = DMARC1 ; P = Reject ; SP=none;NP=quarantine; adkim=S; aspf=r; t=y; psd=u; fo=1:d:s; ", DMARC_TEXT_POLICY,
     NULL},
    {"v=DMARC1; p=none; rua=mailto:a@b.example,mailto:c%2bd@e.example!10m; ruf=https://x.example/", DMARC_TEXT_POLICY,
     NULL},
    {"v=DMARC1", DMARC_TEXT_UNUSABLE, "column 9: p= is missing"},
    {"v=DMARC1; psd=y", DMARC_TEXT_UNUSABLE, "column 16: p= is missing"},
    {"v=DMARC1; rua=mailto:a@b.example", DMARC_TEXT_POLICY, NULL},
    {"v=DMARC1; p=reject; sp=invalid; rua=mailto:a@b.example", DMARC_TEXT_POLICY, NULL},
    {"v=DMARC1; p=reject; sp=invalid", DMARC_TEXT_UNUSABLE, "column 24: a policy is none, "},
    {"v=DMARC1; sp=reject; p=reject", DMARC_TEXT_POLICY, "column 22: p= stands right behind v="},
    {"v=DMARC1; p=none; p=none", DMARC_TEXT_FOREIGN, "column 19: p= comes twice"},
    {"v=DMARC1; p=none; x=1; X=2", DMARC_TEXT_FOREIGN, "column 24: X= comes twice"},
    {"v=dmarc1; p=none", DMARC_TEXT_FOREIGN, "column 1: a record begins with v=DMARC1"},
    {"v=DMARC1 p=none", DMARC_TEXT_FOREIGN, "column 1: "},
    {"p=none; v=DMARC1", DMARC_TEXT_FOREIGN, "column 1: "},
    {" v=DMARC1; p=none", DMARC_TEXT_FOREIGN, "column 1: "},
    {"v=DMARC10; p=none", DMARC_TEXT_FOREIGN, "column 1: "},
    {"v=spf1 -all", DMARC_TEXT_FOREIGN, "column 1: "},
    {"", DMARC_TEXT_FOREIGN, "column 1: "},
    {"v=DMARC1; p=none; adkim=x", DMARC_TEXT_POLICY, "column 25: this is r or s"},
    {"v=DMARC1; p=none; nonsense; aspf=s", DMARC_TEXT_POLICY, "column 19: a tag and = are wanted here"},
    {"v=DMARC1; p=none;; aspf=s", DMARC_TEXT_POLICY, "column 18: a tag and = are wanted here"},
    {"v=DMARC1; p=none; pct=101", DMARC_TEXT_POLICY, "column 23: pct is "},
    {"v=DMARC1; p=none; ri=x", DMARC_TEXT_POLICY, "column 22: ri is "},
    {"v=DMARC1; p=none; rf=iodef", DMARC_TEXT_POLICY, "column 22: rf is "},
    {"v=DMARC1; p=none; rua=bogus", DMARC_TEXT_POLICY, "column 23: this is no URI"},
    {"v=DMARC1; p=none; rua=mailto:bogus", DMARC_TEXT_POLICY, "column 23: this is no mailto: URI"},
    {"v=DMARC1; p=none; rua=mailto:a@b.example!", DMARC_TEXT_POLICY, "column 23: this is no URI"},
    {"v=DMARC1; p=none; fo=x", DMARC_TEXT_POLICY, "column 22: fo is "},
    {"v=DMARC1; p=none; psd=x", DMARC_TEXT_POLICY, "column 23: psd is "},
    {"v=DMARC1; p=none; t=1", DMARC_TEXT_POLICY, "column 21: this is n or y"},
};

static void test_records(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        const struct record_row *row = &records[i];
        struct dmarc_record r;
        struct err e = {0}, wrong = {0};
        enum dmarc_text what = dmarc_record_read(slice_str(row->text), &r, &e);
        if (what != row->what)
            fail_msg("%s: %d: %s", row->text, (int)what, e.text);
        assert_int_equal(dmarc_record_parse(slice_str(row->text), &r, &e), what == DMARC_TEXT_POLICY);
        if (dmarc_record_check(slice_str(row->text), &wrong) != (row->check == NULL) ||
            (row->check && !slice_starts(slice_str(wrong.text), slice_str(row->check))))
            fail_msg("%s: %s", row->text, wrong.text);
    }
}

static void test_record_values(void **state) {
    (void)state;
    struct dmarc_record r;
    struct err e;
    const char *text = "v=DMARC1; p=reject; sp=quarantine; adkim=s; t=y; psd=n; fo=d:s; "
                       "rua=mailto:a@b.example!5k , https://x.example/r,mailto:c@d.example; ruf=mailto:e@f.example";
    assert_true(dmarc_record_parse(slice_str(text), &r, &e));
    assert_int_equal(r.policy, DMARC_POLICY_REJECT);
    assert_int_equal(r.subdomain, DMARC_POLICY_QUARANTINE);
    assert_int_equal(r.missing, DMARC_POLICY_QUARANTINE);
    assert_true(r.strict_dkim && !r.strict_spf && r.testing && r.psd == DMARC_PSD_NO);
    assert_true(!r.fo_0 && !r.fo_1 && r.fo_d && r.fo_s);
    ARENA_AUTO struct arena arena = {.max = 4096};
    assert_true(slice_eq(dmarc_record_fo(&r, &arena), SLICE("d:s")));
    assert_int_equal(r.rua_n, 2);
    assert_true(slice_eq(r.rua[0], SLICE("mailto:a@b.example")) && slice_eq(r.rua[1], SLICE("mailto:c@d.example")));
    assert_int_equal(r.ruf_n, 1);
    assert_true(dmarc_record_parse(SLICE("v=DMARC1; p=reject; np=none"), &r, &e));
    assert_true(r.subdomain == DMARC_POLICY_REJECT && r.missing == DMARC_POLICY_NONE && r.fo_0);
}

static void test_mailbox(void **state) {
    (void)state;
    ARENA_AUTO struct arena arena = {.max = 65536};
    struct slice m;
    assert_true(report_uri_mailbox(SLICE("MailTo:a%2bb@c.example?subject=x"), &arena, &m));
    assert_true(slice_eq(m, SLICE("a+b@c.example")));
    static const char *const bad[] = {
        "mailto:",          "mailto:a",    "mailto:postmaster", "mailto:a%@b.example", "mailto:a%0d%0a@b.example",
        "http:a@b.example", "mailto:a%4@b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(report_uri_mailbox(slice_str(bad[i]), &arena, &m));
}

// --- verdicts

static const struct row {
    const char *zone, *from;
    const char *spf;  // a domain that passed; "~domain": TEMPERROR
    const char *dkim; // likewise
    const char *want; // result policy asks organisation record-domain
} rows[] = {
    // the record is From's own
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "example.org", "example.org", NULL,
     "pass reject none example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "Example.ORG", NULL, "EXAMPLE.org",
     "pass reject none example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "example.org", "example.net", "other.example",
     "fail reject reject example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject; t=y\"", "example.org", NULL, NULL,
     "fail reject quarantine example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=quarantine; t=y\"", "example.org", NULL, NULL,
     "fail quarantine none example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=none; t=y\"", "example.org", NULL, NULL,
     "fail none none example.org example.org"},
    {"", "example.org", "example.org", NULL, "none none none example.org "},
    {"_dmarc.example.org. TXT \"v=DMARC1; rua=mailto:a@b.example\"", "example.org", NULL, NULL,
     "fail none none example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1\"", "example.org", NULL, NULL, "none none none example.org "},
    // several records are none; others' don't count
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject\"\n_dmarc.example.org. TXT \"v=DMARC1; p=none\"", "example.org",
     NULL, NULL, "none none none example.org "},
    {"_dmarc.example.org. TXT \"v=spf1 -all\"\n_dmarc.example.org. TXT \"v=DMARC1; p=none\"", "example.org", NULL, NULL,
     "fail none none example.org example.org"},
    // U-labels
    {"_dmarc.xn--bcher-kva.example. TXT \"v=DMARC1; p=reject\"",
     "b\xc3\xbc"
     "cher.example",
     "xn--bcher-kva.example", NULL, "pass reject none xn--bcher-kva.example xn--bcher-kva.example"},
    // up the tree: sp, np
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject; sp=quarantine\"\nmail.example.org. A 192.0.2.1", "mail.example.org",
     NULL, NULL, "fail quarantine quarantine example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"\nmail.example.org. A 192.0.2.1",
     "mail.example.org", NULL, NULL, "fail quarantine quarantine example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"", "gone.example.org", NULL, NULL,
     "fail reject reject example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"\na.there.example.org. A 192.0.2.1",
     "there.example.org", NULL, NULL, "fail quarantine quarantine example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=none; np=reject\"\nslow.example.org. A TIMEOUT", "slow.example.org", NULL,
     NULL, "fail none none example.org example.org"},
    // relaxed and strict alignment
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "mail.example.org", "bounce.example.org", NULL,
     "pass reject none example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject; aspf=s\"", "mail.example.org", "bounce.example.org", NULL,
     "fail reject reject example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject; aspf=s\"", "mail.example.org", "mail.example.org", NULL,
     "pass reject none example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject; adkim=s\"", "mail.example.org", NULL, "example.org",
     "fail reject reject example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "notexample.org", "example.org", NULL,
     "none none none notexample.org "},
    // a domain below with a record of its own: another policy, the same organisation
    {"_dmarc.example.org. TXT \"v=DMARC1; p=none\"\n_dmarc.a.example.org. TXT \"v=DMARC1; p=reject\"", "a.example.org",
     "b.example.org", NULL, "pass reject none example.org a.example.org"},
    // psd=n: an organisation of its own
    {"_dmarc.example.org. TXT \"v=DMARC1; p=none\"\n_dmarc.a.example.org. TXT \"v=DMARC1; p=reject; psd=n\"",
     "a.example.org", "b.example.org", NULL, "fail reject reject a.example.org a.example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=none\"\n_dmarc.a.example.org. TXT \"v=DMARC1; p=reject; psd=n\"",
     "x.a.example.org", "y.a.example.org", NULL, "pass reject none a.example.org a.example.org"},
    // psd=y: the organisation is one label below; its policy where there is no other
    {"_dmarc.bank. TXT \"v=DMARC1; p=reject; psd=y\"", "a.example.bank", "b.example.bank", NULL,
     "pass reject none example.bank bank"},
    {"_dmarc.bank. TXT \"v=DMARC1; p=reject; psd=y\"", "a.example.bank", "b.other.bank", NULL,
     "fail reject reject example.bank bank"},
    {"_dmarc.bank. TXT \"v=DMARC1; p=reject; psd=y; np=quarantine; sp=none\"", "example.bank", NULL, NULL,
     "fail quarantine quarantine example.bank bank"},
    {"_dmarc.bank. TXT \"v=DMARC1; p=reject; psd=y\"\n_dmarc.example.bank. TXT \"v=DMARC1; p=none\"", "a.example.bank",
     "b.example.bank", NULL, "pass none none example.bank example.bank"},
    {"_dmarc.bank. TXT \"v=DMARC1; p=reject; psd=y\"", "bank", NULL, NULL, "fail reject reject bank bank"},
    // a suffix's own mail: nothing above it counts
    {"_dmarc.bank. TXT \"v=DMARC1; p=none\"\n_dmarc.co.bank. TXT \"v=DMARC1; p=reject; psd=y\"", "co.bank", "a.bank",
     NULL, "fail reject reject co.bank co.bank"},
    // a suffix below a suffix
    {"_dmarc.bank. TXT \"v=DMARC1; p=none; psd=y\"\n_dmarc.co.bank. TXT \"v=DMARC1; p=reject; psd=y\"", "x.a.co.bank",
     "y.a.co.bank", NULL, "pass reject none a.co.bank co.bank"},
    // psd=n below and above psd=y: whichever comes first on the way up
    {"_dmarc.bank. TXT \"v=DMARC1; p=none; psd=y\"\n_dmarc.a.bank. TXT \"v=DMARC1; p=reject; psd=n\"", "x.a.bank",
     "y.a.bank", NULL, "pass reject none a.bank a.bank"},
    {"_dmarc.bank. TXT \"v=DMARC1; p=none; psd=n\"\n_dmarc.a.bank. TXT \"v=DMARC1; p=reject; psd=y\"", "x.a.bank",
     "y.a.bank", NULL, "fail reject reject x.a.bank a.bank"},
    // without psd the highest one is it
    {"_dmarc.com. TXT \"v=DMARC1; p=reject\"", "a.com", "b.com", NULL, "pass reject none com com"},
    // at most eight names: the first, and the seven highest
    {"_dmarc.c.d.e.f.g.example.org. TXT \"v=DMARC1; p=reject\"", "a.b.c.d.e.f.g.example.org", NULL, NULL,
     "fail reject reject c.d.e.f.g.example.org c.d.e.f.g.example.org"},
    {"_dmarc.c.d.e.f.g.h.example.org. TXT \"v=DMARC1; p=reject\"", "a.b.c.d.e.f.g.h.example.org", NULL, NULL,
     "none none none a.b.c.d.e.f.g.h.example.org "},
    // DNS doesn't answer
    {"_dmarc.example.org. TIMEOUT", "example.org", "example.org", NULL, "temperror none none example.org "},
    {"_dmarc.org. SERVFAIL", "example.org", NULL, NULL, "temperror none none example.org "},
    {"_dmarc.org. SERVFAIL\n_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "example.org", NULL, NULL,
     "fail reject reject example.org example.org"},
    {"_dmarc.org. SERVFAIL\n_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "example.org", "other.org", NULL,
     "temperror reject none example.org example.org"},
    {"_dmarc.org. SERVFAIL\n_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "example.org", "a.example.org", NULL,
     "pass reject none example.org example.org"},
    {"_dmarc.b.example.org. TIMEOUT\n_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "a.b.example.org", NULL, NULL,
     "temperror reject none example.org example.org"},
    {"_dmarc.b.example.org. TIMEOUT\n_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "a.b.example.org",
     "a.b.example.org", NULL, "pass reject none example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "example.org", "~example.org", NULL,
     "temperror reject none example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "example.org", "~example.net", "~example.net",
     "fail reject reject example.org example.org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", "example.org", NULL, "~example.org",
     "temperror reject none example.org example.org"},
    // no author
    {"", "", "example.org", NULL, "permerror none none  "},
    {"", "[192.0.2.1]", "example.org", NULL, "permerror none none  "},
    {"", "example..org", "example.org", NULL, "permerror none none  "},
};

static void check_row(const struct row *row) {
    ARENA_AUTO struct arena arena = {.max = 1024 * 1024};
    struct err e = {0};
    struct oracle_zone *zone = oracle_zone_new(slice_str(row->zone), &e);
    struct dmarc_signature s = {.result = DKIM_PASS};
    struct dmarc_query q = {.from_domain = slice_str(row->from), .dkim = &s};
    struct dmarc_verdict v;
    if (!zone)
        fail_msg("%s: %s", row->zone, e.text);
    if (row->spf) {
        q.spf = *row->spf == '~' ? SPF_TEMPERROR : SPF_PASS;
        q.spf_domain = slice_str(row->spf + (*row->spf == '~'));
    }
    if (row->dkim) {
        q.dkim_n = 1;
        s.result = *row->dkim == '~' ? DKIM_TEMPERROR : DKIM_PASS;
        s.domain = slice_str(row->dkim + (*row->dkim == '~'));
    }
    dmarc_check(&q, oracle_zone_oracle(zone), &arena, &v);
    struct slice got =
        arena_printf(&arena, "%s %s %s %.*s %.*s", dmarc_result_name(v.result), dmarc_policy_name(v.policy),
                     dmarc_policy_name(v.asks), SLICE_ARG(v.organisation), SLICE_ARG(v.record_domain));
    oracle_zone_free(zone);
    if (!slice_eq(got, slice_str(row->want)))
        fail_msg("%s | %s | %s | %s: %s, not %s", row->zone, row->from, row->spf ? row->spf : "",
                 row->dkim ? row->dkim : "", got.p, row->want);
    if (v.result != DMARC_NONE)
        assert_true(v.why.n > 0);
}

static void test_verdicts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

// --- how many questions a hostile message can cause

struct counter {
    struct oracle oracle;
    size_t questions;
};

static void count(struct oracle *o, const struct oracle_question *q, size_t n, struct arena *arena,
                  struct oracle_answer *answers) {
    static struct oracle_record record = {.text = {"v=DMARC1; p=reject", 18}};
    (void)arena;
    ((struct counter *)(void *)o)->questions += n;
    for (size_t i = 0; i < n; i++)
        answers[i] = (struct oracle_answer){.status = ORACLE_NXDOMAIN};
    if (slice_eq(q[0].name, SLICE("_dmarc.example.org")))
        answers[0] = (struct oracle_answer){.status = ORACLE_OK, .records = &record, .n = 1};
}

static void test_questions(void **state) {
    (void)state;
    ARENA_AUTO struct arena arena = {.max = 1024 * 1024};
    struct counter c = {.oracle = {.ask = count}};
    static struct dmarc_signature s[200];
    static char names[200][64];
    struct dmarc_query q = {.from_domain = SLICE("example.org"), .dkim = s, .dkim_n = 200};
    struct dmarc_verdict v;
    for (size_t i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "a%zu.b%zu.c%zu.d.e.f.g.h.i.example.org", i, i, i);
        s[i] = (struct dmarc_signature){.domain = slice_str(names[i]), .result = DKIM_PASS};
    }
    dmarc_check(&q, &c.oracle, &arena, &v);
    assert_int_equal(v.result, DMARC_PASS);
    assert_true(c.questions <= 128);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),  cmocka_unit_test(test_record_values), cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_verdicts), cmocka_unit_test(test_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
