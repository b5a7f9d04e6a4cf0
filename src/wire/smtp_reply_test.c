// smtp_reply_test: replies read and written, and the keywords of EHLO.
#include "wire/smtp_ext.h"
#include "wire/smtp_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_text(struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("got [%.*s], want [%s]", SLICE_ARG(got), want);
}

// Lines joined by LF; what the last one gave.
static enum smtp_reply_got read_lines(struct smtp_reply *r, const char *lines, struct err *e) {
    enum smtp_reply_got got = SMTP_REPLY_MORE;
    struct slice line, rest = slice_str(lines);
    for (bool more = true; more && got == SMTP_REPLY_MORE;) {
        more = slice_cut(rest, '\n', &line, &rest);
        got = smtp_reply_line(r, line, e);
    }
    return got;
}

static void test_read(void **state) {
    static const struct {
        const char *lines;
        enum smtp_reply_got got;
        int code;
        const char *one_line;
    } cases[] = {
        {"250 OK", SMTP_REPLY_WHOLE, 250, "250 OK"},
        {"250", SMTP_REPLY_WHOLE, 250, "250"},
        {"250 ", SMTP_REPLY_WHOLE, 250, "250"},
        {"250-", SMTP_REPLY_MORE, 250, "250"},
        {"220 mx.example.net ESMTP", SMTP_REPLY_WHOLE, 220, "220 mx.example.net ESMTP"},
        {"550 5.1.1 unknown user", SMTP_REPLY_WHOLE, 550, "550 5.1.1 unknown user"},
        {"550 5.1.1", SMTP_REPLY_WHOLE, 550, "550 5.1.1"},
        {"550-5.1.1 unknown\n550 5.1.1 user", SMTP_REPLY_WHOLE, 550, "550 5.1.1 unknown user"},
        {"550-first\n550-5.7.1 second\n550 third", SMTP_REPLY_WHOLE, 550, "550 5.7.1 first second third"},
        {"550 4.1.1 not its class", SMTP_REPLY_WHOLE, 550, "550 4.1.1 not its class"},
        {"550 5.1.1.1 no", SMTP_REPLY_WHOLE, 550, "550 5.1.1.1 no"},
        {"550 5.1000.1 no", SMTP_REPLY_WHOLE, 550, "550 5.1000.1 no"},
        {"550 5.1.1: no", SMTP_REPLY_WHOLE, 550, "550 5.1.1: no"},
        {"451-a\n450 b", SMTP_REPLY_WHOLE, 450, "450 a b"},
        {"250 a\rb\x1b[1m", SMTP_REPLY_WHOLE, 250, "250 a?b?[1m"},
        {"250-a\n550 b", SMTP_REPLY_BAD, 0, NULL},
        {"", SMTP_REPLY_BAD, 0, NULL},
        {"25", SMTP_REPLY_BAD, 0, NULL},
        {"25x ok", SMTP_REPLY_BAD, 0, NULL},
        {"250ok", SMTP_REPLY_BAD, 0, NULL},
        {"2500 ok", SMTP_REPLY_BAD, 0, NULL},
        {"199 ok", SMTP_REPLY_BAD, 0, NULL},
        {"600 ok", SMTP_REPLY_BAD, 0, NULL},
        {" 250 ok", SMTP_REPLY_BAD, 0, NULL},
        {"HTTP/1.1 400 Bad Request", SMTP_REPLY_BAD, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct smtp_reply r = {0};
        struct err e = {.kind = ERR_BUG};
        struct buf b BUF_AUTO = {.max = 256};
        enum smtp_reply_got got = read_lines(&r, cases[i].lines, &e);
        if (got != cases[i].got)
            fail_msg("%s: %d", cases[i].lines, got);
        if (got == SMTP_REPLY_BAD) {
            assert_int_equal(e.kind, ERR_TEMPORARY);
        } else {
            assert_int_equal(r.code, cases[i].code);
            assert_true(smtp_reply_add(&b, &r));
            assert_text(buf_slice(&b), cases[i].one_line);
        }
        smtp_reply_free(&r);
    }
}

static void test_again(void **state) {
    struct smtp_reply r = {0};
    struct err e;
    assert_int_equal(read_lines(&r, "550-5.1.1 a\n550 b", &e), SMTP_REPLY_WHOLE);
    assert_text(buf_slice(&r.text), "a\nb");
    assert_int_equal(read_lines(&r, "250 c", &e), SMTP_REPLY_WHOLE);
    assert_text(buf_slice(&r.text), "c");
    assert_true(r.enhanced[0] == 0 && r.lines == 1 && smtp_reply_ok(&r));
    smtp_reply_free(&r);
}

static void test_limits(void **state) {
    static char line[SMTP_REPLY_LINE_MAX + 1];
    struct smtp_reply r = {0};
    struct err e;
    memset(line, 'x', sizeof line);
    memcpy(line, "250-", 4);
    assert_int_equal(smtp_reply_line(&r, slice_of(line, sizeof line), &e), SMTP_REPLY_BAD);
    for (int i = 0; i < SMTP_REPLY_LINES; i++)
        assert_int_equal(smtp_reply_line(&r, slice_of(line, sizeof line - 1), &e), SMTP_REPLY_MORE);
    assert_true(r.text.n <= SMTP_REPLY_TEXT_MAX);
    assert_int_equal(smtp_reply_line(&r, SLICE("250 last"), &e), SMTP_REPLY_BAD);
    smtp_reply_free(&r);
}

static void test_err(void **state) {
    struct smtp_reply r = {0};
    struct err e, ignored;
    read_lines(&r, "550-5.7.1 go\n550 away", &ignored);
    assert_false(smtp_reply_err(&r, &e));
    assert_string_equal(e.text, "go away");
    assert_true(e.kind == ERR_PERMANENT && e.smtp == 550 && e.enhanced[0] == 5 && e.enhanced[1] == 7);
    read_lines(&r, "421 later", &ignored);
    smtp_reply_err(&r, &e);
    assert_true(e.kind == ERR_TEMPORARY && e.smtp == 421 && e.enhanced[0] == 4 && e.enhanced[1] == 0);
    read_lines(&r, "250 what?", &ignored);
    smtp_reply_err(&r, &e);
    assert_int_equal(e.kind, ERR_TEMPORARY);
    smtp_reply_free(&r);
}

static void test_format(void **state) {
    static const struct {
        int code;
        const char *enhanced, *text, *out;
    } cases[] = {
        {250, "2.1.0", "OK", "250 2.1.0 OK\r\n"},
        {220, NULL, "mx ESMTP", "220 mx ESMTP\r\n"},
        {250, "", "", "250 \r\n"},
        {250, "2.0.0", "", "250 2.0.0\r\n"},
        {250, NULL, "mx\nSIZE 1\nDSN", "250-mx\r\n250-SIZE 1\r\n250 DSN\r\n"},
        {550, "5.7.1", "a\nb", "550-5.7.1 a\r\n550 5.7.1 b\r\n"},
        {550, "5.7.1", "a\r\n250 forged\r", "550-5.7.1 a \r\n550 5.7.1 250 forged \r\n"},
        {250, NULL, "\x01\x7f\xc3\xa9", "250   \xc3\xa9\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b BUF_AUTO = {.max = 256};
        assert_true(smtp_reply_format(&b, cases[i].code, cases[i].enhanced, slice_str(cases[i].text)));
        assert_text(buf_slice(&b), cases[i].out);
    }
}

static void test_format_long(void **state) {
    static char text[3000];
    struct buf b BUF_AUTO = {.max = 8192};
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    assert_true(smtp_reply_format(&b, 554, "5.6.0", slice_of(text, sizeof text)));
    struct smtp_reply r = {0};
    struct err e;
    for (struct slice rest = buf_slice(&b); rest.n;) {
        size_t n = slice_search(rest, SLICE("\r\n"));
        assert_true(n <= 510);
        assert_int_equal(smtp_reply_line(&r, slice_upto(rest, n), &e),
                         rest.n > n + 2 ? SMTP_REPLY_MORE : SMTP_REPLY_WHOLE);
        rest = slice_from(rest, n + 2);
    }
    assert_int_equal(r.text.n - (r.lines - 1), sizeof text); // nothing lost, no character torn
    smtp_reply_free(&r);
}

static void test_format_err(void **state) {
    struct err e;
    struct buf b BUF_AUTO = {.max = 256};
    err_smtp(&e, 452, "4.2.2", "full");
    smtp_reply_format_err(&b, &e);
    err_set(&e, ERR_BUG, "oops");
    smtp_reply_format_err(&b, &e);
    err_set(&e, ERR_PERMANENT, "no");
    smtp_reply_format_err(&b, &e);
    assert_text(buf_slice(&b), "452 4.2.2 full\r\n451 4.3.0 oops\r\n554 5.0.0 no\r\n");
}

static void test_ext(void **state) {
    struct smtp_ext x;
    smtp_ext_parse(SLICE("mx greets PIPELINING\npipelining\nSIZE 52428800\n8BITMIME\nSMTPUTF8\nCHUNKING\n"
                         "ENHANCEDSTATUSCODES\nSTARTTLS\nLIMITS MAILMAX=5\nAUTH PLAIN"),
                   &x);
    assert_true(x.pipelining && x.size && x.eightbit && x.smtputf8 && x.chunking && x.enhanced && x.starttls);
    assert_true(!x.dsn && !x.requiretls && x.size_max == 52428800);
    smtp_ext_parse(SLICE("PIPELINING"), &x);
    assert_false(x.pipelining);
    smtp_ext_parse(SLICE("mx\nSIZE\n\nSTARTTLSX\nDSN x"), &x);
    assert_true(x.size && x.size_max == 0 && !x.starttls && x.dsn);
    smtp_ext_parse(SLICE("mx\nSIZE 99999999999999999999"), &x);
    assert_true(x.size && x.size_max == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),       cmocka_unit_test(test_again),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_err),        cmocka_unit_test(test_format), cmocka_unit_test(test_format_long),
        cmocka_unit_test(test_format_err), cmocka_unit_test(test_ext),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
