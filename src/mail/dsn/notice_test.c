// notice_test: the whole of one, letter by letter; foreign words begin no field.
#include "mail/dsn/notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_written(struct slice to, struct slice subject, struct slice text, const char *want) {
    BUF_AUTO struct buf b = {.max = 4 * NOTICE_MAX};
    struct notice n = {.hostname = SLICE("mx.example.org"), .to = to, .subject = subject, .text = text, .random = 0xab};
    n.now.ms = 1795257675000;
    assert_true(notice_write(&n, &b));
    buf_add_char(&b, 0);
    assert_string_equal(b.p, want);
}

#define HEAD(to, subject)                                                                                              \
    "From: Mail Delivery System <mailer-daemon@mx.example.org>\r\nTo: <" to ">\r\nSubject: " subject "\r\n"            \
    "Date: Sat, 21 Nov 2026 10:41:15 +0000\r\nMessage-ID: <notice.1a1fdb22cf8.00000000000000ab@mx.example.org>\r\n"    \
    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"               \
    "Content-Transfer-Encoding: "

static void test_plain(void **state) {
    assert_written(SLICE("root@example.org"), SLICE("Mail of ann is held"), SLICE("One.\n\n  two\nthree"),
                   HEAD("root@example.org", "Mail of ann is held") "7bit\r\n\r\nOne.\r\n\r\n  two\r\nthree\r\n");
}

static void test_foreign(void **state) {
    assert_written(SLICE("a\r\nBcc: b@x"), SLICE("x\r\nBcc: y"), SLICE("caf\xc3\xa9\x1b[2J\r\n.\n"),
                   HEAD("a  Bcc: b@x", "x Bcc: y") "quoted-printable\r\n\r\ncaf=C3=A9?[2J=20\r\n.\r\n");
}

static void test_too_small(void **state) {
    BUF_AUTO struct buf b = {.max = 100};
    assert_false(notice_write(&(struct notice){.hostname = SLICE("h"), .to = SLICE("a@b")}, &b));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_too_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
