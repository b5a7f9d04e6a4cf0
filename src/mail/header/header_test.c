// header_test: header sections scanned in pieces and walked as a whole; both must agree.
#include "mail/header/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("got [%.*s], want [%s]", SLICE_ARG(got), want);
}

static void scan_pieces(struct slice text, size_t piece, struct header_scan *scan) {
    *scan = (struct header_scan){0};
    for (size_t at = 0; at < text.n; at += piece)
        header_scan_feed(scan, slice_upto(slice_from(text, at), piece));
    header_scan_end(scan);
}

static void test_scan(void **state) {
    static const struct {
        const char *text, *section, *message_id;
        unsigned received;
        bool broken;
    } cases[] = {
        {"From: a\r\n\r\nbody\r\n", "From: a\r\n", "", 0, false},
        {"\r\nReceived: in the body\r\n", "", "", 0, false},
        {"\nbody", "", "", 0, false},
        {"", "", "", 0, true},
        {"Received: a\r\n\tby b\r\nRECEIVED : c\r\nX-Received: d\r\nReceived:e\r\n\r\n",
         "Received: a\r\n\tby b\r\nRECEIVED : c\r\nX-Received: d\r\nReceived:e\r\n", "", 3, false},
        {"A: b\r\n Received: folded\r\nReceived: x\r\nno field\r\nReceived: y\r\n\r\n",
         "A: b\r\n Received: folded\r\nReceived: x\r\n", "", 1, true},
        {"Message-ID:\r\n <a@\r\n b>  \r\nMessage-ID: <second>\r\n\r\n",
         "Message-ID:\r\n <a@\r\n b>  \r\nMessage-ID: <second>\r\n", "<a@ b>", 0, false},
        {"message-id: <\x1b\xc3\xa9>\r\n\r\n", "message-id: <\x1b\xc3\xa9>\r\n", "<?\?\?>", 0, false},
        {"Message-ID: x", "Message-ID: x", "x", 0, true},
        {"A: b\r\nReceived", "A: b\r\n", "", 0, true},
        {"A: b\r\n: c\r\n", "A: b\r\n", "", 0, true},
        {"A: b\r\nC d: e\r\n", "A: b\r\n", "", 0, true},
        {" A: b\r\n", "", "", 0, true},
        {"A: b\nReceived: c\n\nbody", "A: b\nReceived: c\n", "", 1, false},
        {"A: b\r\n\rReceived: c\r\n", "A: b\r\n", "", 0, true},
        {"A: b\r\n\r", "A: b\r\n", "", 0, true},
        {"Received\x80: b\r\n", "", "", 0, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice text = slice_str(cases[i].text), section = slice_str(cases[i].section);
        for (size_t piece = 1; piece <= text.n + 1; piece++) {
            struct header_scan scan;
            scan_pieces(text, piece, &scan);
            size_t empty_line = cases[i].broken ? 0 : text.p[section.n] == '\n' ? 1 : 2;
            if (scan.received != cases[i].received || scan.bytes != section.n + empty_line)
                fail_msg("%s: %u received, %zu bytes", cases[i].text, scan.received, (size_t)scan.bytes);
            assert_true(scan.done && scan.broken == cases[i].broken);
            assert_text(header_scan_message_id(&scan), cases[i].message_id);
        }
        assert_text(header_section(text), cases[i].section);
    }
}

static void test_scan_facts(void **state) {
    struct header_scan scan;
    scan_pieces(SLICE("from: a\r\nDATE: b\r\nMessage-ID:\r\n\r\n"), 3, &scan);
    assert_true(scan.has_from && scan.has_date && scan.has_message_id && scan.message_id_n == 0);
    scan_pieces(SLICE("X-From: a\r\n\r\nDate: b\r\n"), 3, &scan);
    assert_true(!scan.has_from && !scan.has_date && !scan.has_message_id);

    char text[1000];
    memset(text, 'x', sizeof text);
    memcpy(text, "Message-ID: <", 13);
    scan_pieces(slice_of(text, sizeof text), 7, &scan);
    assert_int_equal(scan.message_id_n, HEADER_MESSAGE_ID_MAX);
    memcpy(text + 500, ": Received\r\n\r\n", 14); // a name longer than any that we know
    scan_pieces(slice_of(text + 100, 414), 7, &scan);
    assert_true(scan.done && !scan.broken && scan.received == 0 && scan.bytes == 414);
}

static void test_walk(void **state) {
    struct slice content = SLICE("Subject: a\r\n  b\r\n\tc \r\nX-Empty:\r\nto : d\r\n\r\nCc: body\r\n");
    struct header_field field;
    struct buf b BUF_AUTO = {.max = 64};
    struct slice rest = content;
    assert_true(header_next(&rest, &field));
    assert_text(field.name, "Subject");
    assert_text(field.value, " a\r\n  b\r\n\tc ");
    assert_text(field.whole, "Subject: a\r\n  b\r\n\tc \r\n");
    assert_true(header_unfold(&b, field.value));
    assert_text(buf_slice(&b), "a  b\tc");
    assert_true(header_next(&rest, &field));
    assert_text(field.name, "X-Empty");
    assert_text(field.value, "");
    assert_true(header_next(&rest, &field));
    assert_false(header_next(&rest, &field));
    assert_text(rest, "\r\nCc: body\r\n");

    assert_true(header_find(content, SLICE("TO"), &field));
    assert_text(field.value, " d");
    assert_false(header_find(content, SLICE("Cc"), &field));
}

static void test_tls_required(void **state) {
    static const struct {
        const char *text;
        bool optional;
    } cases[] = {
        {"TLS-Required: No\r\n\r\n", true},
        {"Subject: x\r\ntls-required:no\r\nTo: y\r\n\r\n", true},
        {"TLS-Required :\t No \t\r\n\r\n", true},
        {"TLS-Required:\r\n  No\r\n\r\n", true},
        {"TLS-Required: No", true},
        {"TLS-Required: Yes\r\n\r\n", false},
        {"TLS-Required: Not\r\n\r\n", false},
        {"TLS-Required: N o\r\n\r\n", false},
        {"TLS-Required: No way\r\n\r\n", false},
        {"TLS-Required: No\r\n  way\r\n\r\n", false},
        {"TLS-Required:\r\n\r\n", false},
        {"X-TLS-Required: No\r\n\r\n", false},
        {"Subject: TLS-Required: No\r\n\r\nTLS-Required: No\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 0; cut <= strlen(cases[i].text); cut++) {
            struct header_scan scan = {0};
            header_scan_feed(&scan, slice_upto(slice_str(cases[i].text), cut));
            header_scan_feed(&scan, slice_from(slice_str(cases[i].text), cut));
            header_scan_end(&scan);
            if (scan.tls_optional != cases[i].optional)
                fail_msg("%s, cut at %zu", cases[i].text, cut);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_scan_facts),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_tls_required),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
