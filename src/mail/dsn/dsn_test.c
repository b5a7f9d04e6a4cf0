// dsn_test: a whole notification as it leaves, and hostile words that must not get out of their field.
#include "mail/dsn/dsn.h"

#include "mail/dsn/dsn_text.h"
#include "mail/quoted_printable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void assert_text(const struct buf *got, const char *want) {
    struct slice w = slice_str(want);
    if (slice_eq(buf_slice(got), w))
        return;
    size_t at = 0;
    while (at < got->n && at < w.n && got->p[at] == w.p[at])
        at++;
    fail_msg("differs at byte %zu:\n--- got\n%.*s\n--- wanted from there\n%.*s", at, (int)got->n, got->p,
             SLICE_ARG(slice_from(w, at)));
}

static struct dsn sample(const struct dsn_recipient *recipients, size_t n) {
    return (struct dsn){
        .hostname = SLICE("mx1.example.org"),
        .sender = SLICE("alice@example.org"),
        .queue_id = SLICE("06XSK0A2T8G4C"),
        .random = 0x0123456789abcdefull,
        .arrived = {1795257675000},
        .now = {1795257675000 + 5ll * MS_DAY},
        .recipients = recipients,
        .recipients_n = n,
        .header = SLICE("From: alice@example.org\r\nSubject: hi\r\n"),
    };
}

static void whole(void **state) {
    const struct dsn_recipient recipients[] = {
        {.address = SLICE("bob@example.net"),
         .original = SLICE("sales@example.org"),
         .smtp = 550,
         .enhanced = {5, 1, 1},
         .reason = SLICE("No such user here"),
         .remote = SLICE("mx.example.net[192.0.2.1]:25")},
        {.address = SLICE("carol@slow.example"),
         .enhanced = {4, 4, 1},
         .reason = SLICE("connection timed out"),
         .expired = true},
    };
    struct dsn d = sample(recipients, 2);
    BUF_AUTO struct buf out = {.max = DSN_MAX};
    assert_true(dsn_write(&d, &out));
    assert_text(&out, "From: Mail Delivery System <mailer-daemon@mx1.example.org>\r\n"
                      "To: <alice@example.org>\r\n"
                      "Subject: Undelivered mail: 2 recipients\r\n"
                      "Date: Thu, 26 Nov 2026 10:41:15 +0000\r\n"
                      "Message-ID: <06XSK0A2T8G4C.0c93a7b79aeda89b@mx1.example.org>\r\n"
                      "Auto-Submitted: auto-replied\r\n"
                      "MIME-Version: 1.0\r\n"
                      "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                      " boundary=\"=_posthouse_0123456789abcdef\"\r\n"
                      "\r\n"
                      "This is a report of failed delivery in MIME form.\r\n"
                      "\r\n"
                      "--=_posthouse_0123456789abcdef\r\n"
                      "Content-Description: What happened\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: 7bit\r\n"
                      "\r\n"
                      "This is the mail system at mx1.example.org.\r\n"
                      "\r\n"
                      "Your message could not be delivered to these recipients, and no more\r\n"
                      "attempts will be made. Other recipients, if there were any, are not affected.\r\n"
                      "\r\n"
                      "<bob@example.net> (sent to <sales@example.org>):\r\n"
                      "    mx.example.net[192.0.2.1]:25 said: 550 5.1.1 No such user here\r\n"
                      "    Check the address for typing mistakes; the mailbox may also be\r\n"
                      "    closed or renamed.\r\n"
                      "\r\n"
                      "<carol@slow.example>:\r\n"
                      "    It could not be delivered for 5 days. The last attempt: connection\r\n"
                      "    timed out\r\n"
                      "    Check what follows the @ for typing mistakes. If it is right, their\r\n"
                      "    system was out of reach: send it again later.\r\n"
                      "\r\n"
                      "The header of your message is attached.\r\n"
                      "\r\n"
                      "--=_posthouse_0123456789abcdef\r\n"
                      "Content-Description: Delivery report\r\n"
                      "Content-Type: message/delivery-status\r\n"
                      "Content-Transfer-Encoding: 7bit\r\n"
                      "\r\n"
                      "Reporting-MTA: dns; mx1.example.org\r\n"
                      "X-Posthouse-Queue-ID: 06XSK0A2T8G4C\r\n"
                      "Arrival-Date: Sat, 21 Nov 2026 10:41:15 +0000\r\n"
                      "\r\n"
                      "Original-Recipient: rfc822; sales@example.org\r\n"
                      "Final-Recipient: rfc822; bob@example.net\r\n"
                      "Action: failed\r\n"
                      "Status: 5.1.1\r\n"
                      "Remote-MTA: dns; mx.example.net\r\n"
                      "Diagnostic-Code: smtp; 550 5.1.1 No such user here\r\n"
                      "\r\n"
                      "Final-Recipient: rfc822; carol@slow.example\r\n"
                      "Action: failed\r\n"
                      "Status: 5.4.7\r\n"
                      "Diagnostic-Code: X-Posthouse; connection timed out\r\n"
                      "\r\n"
                      "--=_posthouse_0123456789abcdef\r\n"
                      "Content-Description: Header of your message\r\n"
                      "Content-Type: text/rfc822-headers\r\n"
                      "Content-Transfer-Encoding: 7bit\r\n"
                      "\r\n"
                      "From: alice@example.org\r\n"
                      "Subject: hi\r\n"
                      "\r\n"
                      "--=_posthouse_0123456789abcdef--\r\n");
}

// Lines are whole and short, nothing but ASCII unless asked for, and no foreign field stands at a line's start.
static void assert_sound(const struct buf *out, bool ascii) {
    size_t line = 0;
    for (size_t i = 0; i < out->n; i++) {
        char c = out->p[i];
        if (c == '\n' || c == '\r') {
            assert_true(c == '\r' && i + 1 < out->n && out->p[i + 1] == '\n');
            i++;
            line = 0;
            continue;
        }
        assert_true((c >= ' ' && c < 127) || c == '\t' || (!ascii && (c & 0x80)));
        assert_true(++line <= 998);
    }
    assert_int_equal(slice_search(buf_slice(out), SLICE("\r\nEvil:")), out->n);
}

static void hostile_words(void **state) {
    static char endless[5000];
    memset(endless, 'x', sizeof endless);
    struct slice hostile[] = {SLICE("\r\nEvil: yes\r\n\r\n--=_posthouse_0123456789abcdef--\r\n"),
                              SLICE("\nEvil: 1\n"),
                              SLICE("\rEvil: 1"),
                              SLICE("\0\x1b[2J\xff\xfe\xc3"),
                              SLICE("\xc3\xa9\xe2\x80\xae z"),
                              slice_of(endless, sizeof endless),
                              SLICE("")};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        for (int utf8 = 0; utf8 < 2; utf8++) {
            struct slice h = hostile[i];
            struct dsn_recipient r = {h, h, 999, {5, 65535, 65535}, h, h, i % 2};
            struct dsn d = sample(&r, 1);
            d.sender = d.queue_id = h;
            d.header = SLICE("Subject: \xc3\xa9\0\nX: y\rZ: 1");
            d.smtputf8 = utf8;
            BUF_AUTO struct buf out = {.max = DSN_MAX};
            assert_true(dsn_write(&d, &out));
            assert_sound(&out, !utf8);
        }
}

static void header_section(void **state) {
    static const struct {
        const char *in, *out;
    } table[] = {
        {"", ""},
        {"A: 1", "A: 1\r\n"},
        {"A: 1\r\nB: cut", "A: 1\r\n"},
        {"A: 1\nB: 2\rC: 3\r\n", "A: 1\r\nB: 2\r\nC: 3\r\n"},
        {"A: 1\r\n\r\nbody\r\n", "A: 1\r\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        BUF_AUTO struct buf out = {.max = 4096};
        assert_true(dsn_text_header(&out, slice_str(table[i].in)));
        assert_text(&out, table[i].out);
    }
}

// RFC 5322 3.6.4: readers show it beside the message it is about; what is no msg-id is not repeated.
static void references(void **state) {
    static const struct {
        const char *header, *out;
    } table[] = {
        {"From: a\r\nmessage-id: <1.2@a.example>\r\n",
         "In-Reply-To: <1.2@a.example>\r\nReferences: <1.2@a.example>\r\n"},
        {"Message-ID:\r\n <1@a>\r\n", "In-Reply-To: <1@a>\r\nReferences: <1@a>\r\n"},
        {"From: a\r\n", NULL},
        {"Message-ID: 1@a\r\n", NULL},
        {"Message-ID: <1@a> <2@a>\r\n", NULL},
        {"Message-ID: <1@\r\n a>\r\n", NULL},
        {"Message-ID: <1@a\xc3\xa9>\r\n", NULL},
        {"Message-ID: <>\r\n", NULL},
        {"Subject: x\r\n\r\nMessage-ID: <body@a>\r\n", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct dsn_recipient r = {.address = SLICE("bob@example.net")};
        struct dsn d = sample(&r, 1);
        BUF_AUTO struct buf out = {.max = DSN_MAX};
        d.header = slice_str(table[i].header);
        assert_true(dsn_write(&d, &out));
        struct slice head = slice_upto(buf_slice(&out), slice_search(buf_slice(&out), SLICE("\r\n\r\n")));
        struct slice wanted = slice_str(table[i].out ? table[i].out : "References:");
        assert_int_equal(slice_search(head, wanted) < head.n, table[i].out != NULL);
    }
}

static void encoding(void **state) {
    static const struct {
        const char *in, *out;
        bool needless;
    } table[] = {
        {"plain\r\n", "plain\r\n", true},
        {"a=b\r\n", "a=3Db\r\n", true},
        {"end \r\n", "end=20\r\n", true},
        {"\xc3\xa9", "=C3=A9", false},
        {"bare\nlf", "bare=0Alf", false},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890\r\n",
         "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n67890\r\n", true},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        BUF_AUTO struct buf out = {.max = 4096};
        assert_int_equal(quoted_printable_needless(slice_str(table[i].in)), table[i].needless);
        assert_true(quoted_printable_add(&out, slice_str(table[i].in)));
        assert_text(&out, table[i].out);
        BUF_AUTO struct buf back = {.max = 4096};
        assert_true(quoted_printable_decode(&back, buf_slice(&out)));
        assert_text(&back, table[i].in);
    }
}

static void decoding(void **state) {
    static const char *const table[][2] = {
        {"", ""},
        {"a =\r\nb=  \t\r\nc=\nd", "a bcd"},
        {"a \t\r\nb  \nc ", "a\r\nb\nc"},
        {"a\tb  c", "a\tb  c"},
        {"=3d=3D=zz=3", "===zz=3"},
        {"=4=31= ", "=41"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        BUF_AUTO struct buf out = {.max = 4096};
        assert_true(quoted_printable_decode(&out, slice_str(table[i][0])));
        if (!slice_eq(buf_slice(&out), slice_str(table[i][1])))
            fail_msg("%s: %.*s", table[i][0], SLICE_ARG(buf_slice(&out)));
    }
}

static void too_small_a_buffer(void **state) {
    struct dsn_recipient r = {.address = SLICE("a@b")};
    struct dsn d = sample(&r, 1);
    for (size_t max = 1; max < 1500; max += 7) {
        BUF_AUTO struct buf out = {.max = max};
        assert_false(dsn_write(&d, &out));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(hostile_words),
        cmocka_unit_test(header_section),
        cmocka_unit_test(references),
        cmocka_unit_test(encoding),
        cmocka_unit_test(decoding),
        cmocka_unit_test(too_small_a_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
