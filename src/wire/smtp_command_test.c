// smtp_command_test: lines as clients send them, and what becomes of them.
#include "wire/smtp_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static bool parse(struct slice line, struct smtp_command *c, struct err *e) {
    *e = (struct err){0};
    return smtp_command_parse(line, c, e);
}

static void assert_slice(const char *line, const char *what, struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("%s: %s is %.*s, not %s", line, what, SLICE_ARG(got), want);
}

static void test_simple(void **state) {
    static const struct {
        const char *line;
        enum smtp_verb verb;
        const char *arg;
    } cases[] = {
        {"HELO mx.example.net", SMTP_HELO, "mx.example.net"},
        {"ehlo [192.0.2.1]", SMTP_EHLO, "[192.0.2.1]"},
        {"EHLO  my_pc ", SMTP_EHLO, "my_pc"},
        {"DATA", SMTP_DATA, ""},
        {"data  ", SMTP_DATA, ""},
        {"RSET", SMTP_RSET, ""},
        {"NOOP", SMTP_NOOP, ""},
        {"NOOP are you there", SMTP_NOOP, "are you there"},
        {"VRFY alice", SMTP_VRFY, "alice"},
        {"EXPN staff list", SMTP_EXPN, "staff list"},
        {"HELP", SMTP_HELP, ""},
        {"help MAIL", SMTP_HELP, "MAIL"},
        {"QUIT", SMTP_QUIT, ""},
        {"StartTLS", SMTP_STARTTLS, ""},
        {"AUTH PLAIN AGEAYg==", SMTP_AUTH, "PLAIN AGEAYg=="},
        {"xclient ADDR=192.0.2.1 NAME=a", SMTP_XCLIENT, "ADDR=192.0.2.1 NAME=a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct smtp_command c;
        struct err e;
        if (!parse(slice_str(cases[i].line), &c, &e))
            fail_msg("%s: %s", cases[i].line, e.text);
        assert_int_equal(c.verb, cases[i].verb);
        assert_slice(cases[i].line, "arg", c.arg, cases[i].arg);
    }
}

static void test_path(void **state) {
    static const struct {
        const char *line, *route, *local, *domain;
        bool utf8;
    } cases[] = {
        {"MAIL FROM:<a@example.net>", "", "a", "example.net", false},
        {"mail from: <a@example.net>  ", "", "a", "example.net", false},
        {"MAIL FROM:<>", "", "", "", false},
        {"MAIL FROM:<\"a>b\"@example.net>", "", "\"a>b\"", "example.net", false},
        {"MAIL FROM:<\"a\\\">b@c\"@example.net> SIZE=1", "", "\"a\\\">b@c\"", "example.net", false},
        {"MAIL FROM:<@a.example,@b.example:c@d.example>", "@a.example,@b.example", "c", "d.example", false},
        {"MAIL FROM:<gr\xc3\xbc\xc3\x9f"
         "e@example.net> SMTPUTF8",
         "",
         "gr\xc3\xbc\xc3\x9f"
         "e",
         "example.net", true},
        {"RCPT TO:<postmaster>", "", "postmaster", "", false},
        {"RCPT TO:<a@[IPv6:2001:db8::1]>", "", "a", "[IPv6:2001:db8::1]", false},
        {"RCPT TO:<a%b@c@example.org>", "", "a%b@c", "example.org", false},
        {"RCPT TO:<a b@example.org>", "", "a b", "example.org", false},
        {"RCPT TO:<\xc3\xa9@example.org>", "", "\xc3\xa9", "example.org", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *line = cases[i].line;
        struct smtp_command c;
        struct err e;
        if (!parse(slice_str(line), &c, &e))
            fail_msg("%s: %s", line, e.text);
        assert_slice(line, "route", c.path.route, cases[i].route);
        assert_slice(line, "local part", c.path.local, cases[i].local);
        assert_slice(line, "domain", c.path.domain, cases[i].domain);
        assert_int_equal(c.path.utf8, cases[i].utf8);
    }
}

static void test_parameters(void **state) {
    struct smtp_command c;
    struct err e;
    assert_true(parse(SLICE("MAIL FROM:<a@b>  size=18446744073709551615 Body=8bitMIME smtputf8 "), &c, &e));
    assert_true(c.has_size && c.size == UINT64_MAX && c.smtputf8);
    assert_int_equal(c.body, SMTP_BODY_8BITMIME);
    assert_true(parse(SLICE("MAIL FROM:<a@b> BODY=7BIT"), &c, &e));
    assert_true(!c.has_size && !c.smtputf8 && c.body == SMTP_BODY_7BIT);
    assert_true(!c.requiretls && c.submitter.n == 0);
    assert_true(parse(SLICE("MAIL FROM:<a@b> RequireTLS AUTH=e+3Dmc2@example.com"), &c, &e));
    assert_true(c.requiretls);
    assert_slice("AUTH=", "submitter", c.submitter, "e+3Dmc2@example.com");
    assert_true(parse(SLICE("MAIL FROM:<a@b> AUTH=<>"), &c, &e));
    assert_slice("AUTH=", "submitter", c.submitter, "<>");
    assert_true(parse(SLICE("BDAT 86"), &c, &e));
    assert_true(c.chunk == 86 && !c.last);
    assert_true(parse(SLICE("bdat  0  last "), &c, &e));
    assert_true(c.chunk == 0 && c.last);
    assert_true(parse(SLICE("BDAT 18446744073709551615 LAST"), &c, &e));
    assert_true(c.chunk == UINT64_MAX && c.last);
}

static void test_refused(void **state) {
    static const struct {
        const char *line, *reply;
    } cases[] = {
        {"", "500 5.5.2"},
        {"GET / HTTP/1.1", "500 5.5.2"},
        {" MAIL FROM:<a@b>", "500 5.5.2"},
        {"MAILFROM:<a@b>", "500 5.5.2"},
        {"NOOP\tx", "500 5.5.2"},
        {"NOOP \x7f", "500 5.5.2"},
        {"NOOP \xff", "500 5.5.2"},
        {"MAIL FROM:<a@b>\r", "500 5.5.2"},
        {"EHLO", "501 5.5.4"},
        {"HELO a b", "501 5.5.4"},
        {"DATA now", "501 5.5.4"},
        {"QUIT x", "501 5.5.4"},
        {"STARTTLS x", "501 5.5.4"},
        {"VRFY", "501 5.5.4"},
        {"MAIL", "501 5.5.4"},
        {"MAIL TO:<a@b>", "501 5.5.4"},
        {"MAIL FROM <a@b>", "501 5.5.4"},
        {"MAIL FROM :<a@b>", "501 5.5.4"},
        {"MAIL FROM:", "501 5.1.7"},
        {"MAIL FROM:a@b", "501 5.1.7"},
        {"MAIL FROM:<a@b", "501 5.1.7"},
        {"MAIL FROM:<\"a@b>", "501 5.1.7"},
        {"MAIL FROM:<a@b>SIZE=1", "501 5.1.7"},
        {"MAIL FROM:<a@b>>", "501 5.1.7"},
        {"MAIL FROM:<@b>", "501 5.1.7"},
        {"MAIL FROM:<a@>", "501 5.1.7"},
        {"MAIL FROM:<@a:>", "501 5.1.7"},
        {"MAIL FROM:<@a,:b@c>", "501 5.1.7"},
        {"MAIL FROM:<@a\"b:c@d>", "501 5.1.7"},
        {"MAIL FROM:<\xc3\xa9@b>", "553 5.6.7"},
        {"MAIL FROM:<a@b> SIZE", "501 5.5.4"},
        {"MAIL FROM:<a@b> SIZE=", "501 5.5.4"},
        {"MAIL FROM:<a@b> SIZE=-1", "501 5.5.4"},
        {"MAIL FROM:<a@b> SIZE=18446744073709551616", "501 5.5.4"},
        {"MAIL FROM:<a@b> SIZE=1 SIZE=1", "501 5.5.4"},
        {"MAIL FROM:<a@b> BODY=BINARYMIME", "501 5.5.4"},
        {"MAIL FROM:<a@b> BODY=7BIT BODY=7BIT", "501 5.5.4"},
        {"MAIL FROM:<a@b> SMTPUTF8=yes", "501 5.5.4"},
        {"MAIL FROM:<a@b> SMTPUTF8 SMTPUTF8", "501 5.5.4"},
        {"MAIL FROM:<a@b> -X=1", "501 5.5.4"},
        {"MAIL FROM:<a@b> =1", "501 5.5.4"},
        {"MAIL FROM:<a@b> X=1=2", "501 5.5.4"},
        {"MAIL FROM:<a@b> AUTH", "501 5.5.4"},
        {"MAIL FROM:<a@b> AUTH=", "501 5.5.4"},
        {"MAIL FROM:<a@b> AUTH=a+2", "501 5.5.4"},
        {"MAIL FROM:<a@b> AUTH=a+2g", "501 5.5.4"},
        {"MAIL FROM:<a@b> AUTH=a+2d", "501 5.5.4"},
        {"MAIL FROM:<a@b> AUTH=<> AUTH=<>", "501 5.5.4"},
        {"MAIL FROM:<a@b> REQUIRETLS=1", "501 5.5.4"},
        {"MAIL FROM:<a@b> REQUIRETLS REQUIRETLS", "501 5.5.4"},
        {"MAIL FROM:<a@b> RET=HDRS", "555 5.5.4"},
        {"RCPT TO:<>", "501 5.1.3"},
        {"RCPT TO:alice", "501 5.1.3"},
        {"RCPT FROM:<a@b>", "501 5.5.4"},
        {"RCPT TO:<a@b> NOTIFY=NEVER", "555 5.5.4"},
        {"RCPT TO:<a@b> ,", "501 5.5.4"},
        {"BDAT", "501 5.5.4"},
        {"BDAT x", "501 5.5.4"},
        {"BDAT -1", "501 5.5.4"},
        {"BDAT 18446744073709551616", "501 5.5.4"},
        {"BDAT 1 LAST LAST", "501 5.5.4"},
        {"BDAT 1 FIRST", "501 5.5.4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct smtp_command c = {.chunk = 77};
        struct err e;
        char reply[32];
        if (parse(slice_str(cases[i].line), &c, &e))
            fail_msg("%s: taken", cases[i].line);
        snprintf(reply, sizeof reply, "%d %u.%u.%u", e.smtp, e.enhanced[0], e.enhanced[1], e.enhanced[2]);
        if (!slice_eq(slice_str(reply), slice_str(cases[i].reply)))
            fail_msg("%s: %s %s, not %s", cases[i].line, reply, e.text, cases[i].reply);
        assert_int_equal(e.kind, ERR_PERMANENT);
        assert_int_equal(c.chunk, 77); // untouched
    }
    struct smtp_command c;
    struct err e;
    assert_false(parse(SLICE("MAIL FROM:<a\0@b>"), &c, &e));
    assert_int_equal(e.smtp, 500);
}

static void test_verb(void **state) {
    assert_int_equal(smtp_command_verb(SLICE("bdat lots")), SMTP_BDAT);
    assert_int_equal(smtp_command_verb(SLICE("BDATA 1")), SMTP_UNKNOWN);
    assert_string_equal(smtp_verb_name(SMTP_STARTTLS), "STARTTLS");
    assert_string_equal(smtp_verb_name(SMTP_UNKNOWN), "?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),  cmocka_unit_test(test_path), cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_verb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
