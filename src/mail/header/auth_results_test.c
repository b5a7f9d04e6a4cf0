// auth_results_test: our field byte for byte, and fields that speak in our name.
#include "mail/header/auth_results.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void expect(const struct auth_results *r, const char *want) {
    BUF_AUTO struct buf b = {.max = 65536};
    assert_true(auth_results_write(r, &b));
    if (!slice_eq(buf_slice(&b), slice_str(want)))
        fail_msg("%.*s, not %s", SLICE_ARG(buf_slice(&b)), want);
}

static void test_none(void **state) {
    (void)state;
    struct auth_results r = {.authserv = SLICE("mx.example.org")};
    expect(&r, "Authentication-Results: mx.example.org; none\r\n");
}

static void test_all(void **state) {
    (void)state;
    struct spf_verdict spf = {.result = SPF_PASS}, helo = {.result = SPF_NONE, .helo = true};
    struct dkim_verdict signatures[] = {
        {.result = DKIM_PASS,
         .domain = SLICE("example.com"),
         .selector = SLICE("s1"),
         .identity = SLICE("@example.com"),
         .algorithm = SLICE("rsa-sha256"),
         .signature = SLICE("abc+/d=x")},
        {.result = DKIM_FAIL,
         .domain = SLICE("list.example"),
         .selector = SLICE("k"),
         .why = SLICE("the body (or its end) was changed")},
    };
    struct dkim_verify dkim = {.list = signatures, .n = 2};
    struct dmarc_verdict dmarc = {.result = DMARC_PASS, .policy = DMARC_POLICY_REJECT, .record_domain = SLICE("x")};
    struct arc_verify arc = {.verdict = {.result = ARC_FAIL, .why = SLICE("i=2 is missing")}};
    struct auth_results r = {
        .authserv = SLICE("mx.example.org"),
        .spf = &spf,
        .spf_sender = SLICE("ann@example.com"),
        .helo_spf = &helo,
        .helo = SLICE("mail.example.com"),
        .dkim = &dkim,
        .dmarc = &dmarc,
        .arc = &arc,
        .from = SLICE("example.com"),
    };
    assert_true(netaddr_parse_ip(SLICE("192.0.2.1"), &r.ip));
    expect(&r, "Authentication-Results: mx.example.org;\r\n"
               "\tiprev=pass policy.iprev=192.0.2.1;\r\n"
               "\tspf=pass smtp.mailfrom=ann@example.com;\r\n"
               "\tspf=none smtp.helo=mail.example.com;\r\n"
               "\tdkim=pass header.d=example.com header.i=@example.com header.s=s1\r\n"
               "\t header.a=rsa-sha256 header.b=\"abc+/d=x\";\r\n"
               "\tdkim=fail (the body ?or its end? was changed) header.d=list.example\r\n"
               "\t header.s=k;\r\n"
               "\tdmarc=pass header.from=example.com policy.dmarc=reject;\r\n"
               "\tarc=fail (i=2 is missing)\r\n");
}

// policy.dmarc is what is to be done when t has been heeded.
static void test_dmarc_policy(void **state) {
    (void)state;
    struct dmarc_verdict dmarc = {.result = DMARC_FAIL, .policy = DMARC_POLICY_REJECT, .record_domain = SLICE("x")};
    struct auth_results r = {.authserv = SLICE("x"), .dmarc = &dmarc, .from = SLICE("x")};
    dmarc.record.testing = true;
    expect(&r, "Authentication-Results: x;\r\n\tdmarc=fail header.from=x policy.dmarc=quarantine\r\n");
    dmarc.policy = DMARC_POLICY_NONE;
    expect(&r, "Authentication-Results: x;\r\n\tdmarc=fail header.from=x policy.dmarc=none\r\n");
}

static void test_full(void **state) {
    (void)state;
    struct spf_verdict spf = {.result = SPF_FAIL, .helo = true};
    struct auth_results r = {.authserv = SLICE("x"), .spf = &spf, .helo = SLICE("h.example"), .user = SLICE("ann")};
    expect(&r, "Authentication-Results: x;\r\n\tauth=pass smtp.auth=ann;\r\n\tspf=fail smtp.helo=h.example\r\n");
    BUF_AUTO struct buf small = {.max = 40};
    assert_false(auth_results_write(&r, &small));
}

// Whatever a stranger chose: one field, and nothing in it that reads as another result.
static void test_strangers(void **state) {
    (void)state;
    static const struct {
        const char *sender, *want;
    } rows[] = {
        {"a;dkim=pass@b", "\"a;dkim=pass@b\""},
        {"a\"b\\c@d", "\"a\\\"b\\\\c@d\""},
        {"a\r\nX: y@b", "\"a??X: y@b\""},
        {"a (b@c", "\"a (b@c\""},
        {"j\xc3\xbcrgen@b", "\"j\xc3\xbcrgen@b\""},
        {"j\xfcrgen@b", "\"j?rgen@b\""},
        {"a\xe2\x80\xae@b", "\"a?@b\""},
        {"a@b@c", "\"a@b@c\""},
        {"a@", "\"a@\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_AUTO struct arena arena = {.max = 4096};
        struct spf_verdict spf = {.result = SPF_PASS};
        struct auth_results r = {.authserv = SLICE("x"), .spf = &spf, .spf_sender = slice_str(rows[i].sender)};
        expect(&r,
               arena_printf(&arena, "Authentication-Results: x;\r\n\tspf=pass smtp.mailfrom=%s\r\n", rows[i].want).p);
    }
}

static void test_forged(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool forged;
    } rows[] = {
        {" mx.example.org; spf=pass", true},
        {" MX.Example.ORG; spf=pass", true},
        {"mx.example.org", true},
        {"mx.example.org 1; spf=pass", true},
        {"\tmx.example.org\t1\r\n\t; spf=pass", true},
        {"\r\n mx.example.org;\r\n spf=pass", true},
        {"(hello) mx.example.org (there) ; spf=pass", true},
        {"(a (b) \\) c) mx.example.org; spf=pass", true},
        {"\"mx.example.org\"; spf=pass", true},
        {"\"mx.exa\\mple.org\"; spf=pass", true},
        {"\"mx.\r\n example.org\"; spf=pass", true},
        {"mx.example.org(x); spf=pass", true},
        {"mx.example.org.; spf=pass", true},
        {"inner.mx.example.org; spf=pass", true},
        {"i=1; mx.example.org; spf=pass", true},
        {" i = 12 ; mx.example.org; spf=pass", true},
        {"(unclosed mx.example.org; spf=pass", true},
        {"\"unclosed mx.example.org; spf=pass", true},
        {"a b mx.example.org; spf=pass", true},
        {"=mx.example.org; spf=pass", true},
        {"mx.example.org=; spf=pass", true},
        {"mx.example.org x; spf=pass", true},
        {"mx.example.org/1; spf=pass", true},
        {"mx.example.org:25; spf=pass", true},
        {"mx.example.org,other; spf=pass", true},
        {"<mx.example.org>; spf=pass", true},
        {"mx.example.org 1.0; spf=pass", true},
        {"m\xc3\xbcx.example; spf=pass (mx.example.org)", false},
        {"other.example; spf=pass", false},
        {"notmx.example.org; spf=pass", false},
        {"example.org; spf=pass", false},
        {"mx.example.org.example; spf=pass", false},
        {"other.example; dkim=pass header.d=mx.example.org", false},
        {"other.example (by mx.example.org); spf=pass", false},
        {"i=1; other.example; spf=pass", false},
        {"(unclosed; spf=pass mx.example.com", false},
        {"", false},
        {";", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (auth_results_forged(slice_str(rows[i].value), SLICE("mx.example.org")) != rows[i].forged)
            fail_msg("%s", rows[i].value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),         cmocka_unit_test(test_all),       cmocka_unit_test(test_full),
        cmocka_unit_test(test_dmarc_policy), cmocka_unit_test(test_strangers), cmocka_unit_test(test_forged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
