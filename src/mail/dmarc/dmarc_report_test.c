// dmarc_report_test: reports written and read again, hostile XML, and what they come packed in.
#include "mail/dmarc/dmarc_report.h"

#include "base/base64.h"
#include "mail/quoted_printable.h"
#include "mail/dmarc/report_unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>

static struct dmarc_report_auth auths[2];
static struct dmarc_report_reason reason;
static struct dmarc_report_row row;

static struct dmarc_report sample(void) {
    auths[0].dkim = true;
    auths[0].domain = SLICE("example.org");
    auths[0].selector = SLICE("s1");
    auths[0].result = SLICE("pass");
    auths[0].human = SLICE("a <b> & \"c\"");
    auths[1].domain = SLICE("bounce.example.org");
    auths[1].scope = SLICE("mfrom");
    auths[1].result = SLICE("fail");
    reason.type = SLICE("local_policy");
    reason.comment = SLICE("a friend");
    row = (struct dmarc_report_row){.source = SLICE("2001:db8::1"),
                                    .count = 42,
                                    .disposition = SLICE("none"),
                                    .dkim = SLICE("pass"),
                                    .spf = SLICE("fail"),
                                    .from = SLICE("example.org"),
                                    .envelope_from = SLICE("bounce.example.org"),
                                    .envelope_to = SLICE("example.net"),
                                    .reasons = &reason,
                                    .reasons_n = 1,
                                    .auths = auths,
                                    .auths_n = 2};
    return (struct dmarc_report){.version = SLICE("1.0"),
                                 .organisation = SLICE("An \x01 Organisation"),
                                 .email = SLICE("dmarc@example.net"),
                                 .id = SLICE("1.example.net"),
                                 .begin = 1795219200,
                                 .end = 1795305599,
                                 .domain = SLICE("example.org"),
                                 .p = SLICE("reject"),
                                 .adkim = SLICE("r"),
                                 .rows = &row,
                                 .rows_n = 1};
}

static void same(struct slice a, struct slice b) {
    if (!slice_eq(a, b))
        fail_msg("%.*s, not %.*s", SLICE_ARG(a), SLICE_ARG(b));
}

static void compare(const struct dmarc_report *r) {
    struct dmarc_report want = sample();
    same(r->organisation, SLICE("An ? Organisation"));
    same(r->email, want.email);
    same(r->id, want.id);
    same(r->domain, want.domain);
    same(r->p, want.p);
    same(r->sp, SLICE_EMPTY);
    assert_true(r->begin == want.begin && r->end == want.end);
    assert_int_equal(r->rows_n, 1);
    const struct dmarc_report_row *got = r->rows;
    same(got->source, row.source);
    same(got->envelope_to, row.envelope_to);
    same(got->spf, row.spf);
    assert_true(got->count == 42 && got->reasons_n == 1 && got->auths_n == 2);
    same(got->reasons[0].comment, reason.comment);
    same(got->auths[0].human, auths[0].human);
    assert_true(got->auths[0].dkim && !got->auths[1].dkim);
    same(got->auths[1].scope, auths[1].scope);
}

static void write_sample(struct buf *xml) {
    struct dmarc_report r = sample();
    assert_true(dmarc_report_write(&r, xml));
}

static void test_round(void **state) {
    (void)state;
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    BUF_AUTO struct buf xml = {.max = 1 << 20};
    struct dmarc_report r;
    struct err e = {0};
    write_sample(&xml);
    assert_true(slice_search(buf_slice(&xml), SLICE("a &lt;b&gt; &amp; \"c\"")) < xml.n);
    assert_true(dmarc_report_read(buf_slice(&xml), &arena, &r, &e));
    compare(&r);
    for (size_t n = 0; n < xml.n - 1; n++) { // cut anywhere: no report
        ARENA_AUTO struct arena some = {.max = 1 << 20};
        if (dmarc_report_read(slice_upto(buf_slice(&xml), n), &some, &r, &e))
            fail_msg("cut at %zu", n);
    }
    struct buf small = {.max = 100};
    struct dmarc_report whole = sample();
    assert_false(dmarc_report_write(&whole, &small));
    buf_done(&small);
}

static void test_bad(void **state) {
    (void)state;
    static const struct {
        const char *xml, *why;
    } rows[] = {
        {"", "line 1: no element found"},
        {"hello", "line 1: syntax error"},
        {"<html></html>", "line 1: it is no report: its root is not feedback"},
        {"<feedback></feedback>", "it is no report: it says no domain"},
        {"<!DOCTYPE x [<!ENTITY a \"b\">]>\n<feedback>&a;</feedback>", "line 1: it has a document type"},
        {"<feedback><a>\n</b></feedback>", "line 2: mismatched tag"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_AUTO struct arena arena = {.max = 1 << 20};
        struct dmarc_report r;
        struct err e = {0};
        assert_false(dmarc_report_read(slice_str(rows[i].xml), &arena, &r, &e));
        if (!slice_starts(slice_str(e.text), slice_str(rows[i].why)))
            fail_msg("%s: %s", rows[i].xml, e.text);
    }
}

// What XML forbids, and reporters do.
static void test_sloppy(void **state) {
    (void)state;
    static const struct {
        const char *xml, *organisation;
    } rows[] = {
        {"\r\n <?xml version='1.0'?><feedback><report_metadata><org_name>a</org_name></report_metadata>%s", "a"},
        {"\xef\xbb\xbf\n<?xml version='1.0'?><feedback><report_metadata><org_name>a</org_name></report_metadata>%s",
         "a"},
        {"<?xml version='1.0' encoding='windows-1252'?><feedback><report_metadata><org_name>M\xfcller</org_name>"
         "</report_metadata>%s",
         "M\xef\xbf\xbdller"},
        {"<?xml version='1.0' encoding='ISO-8859-1'?><feedback><report_metadata><org_name>M\xfcller</org_name>"
         "</report_metadata>%s",
         "M\xc3\xbcller"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_AUTO struct arena arena = {.max = 1 << 20};
        BUF_AUTO struct buf xml = {.max = 1 << 20};
        struct dmarc_report r;
        struct err e = {0};
        buf_addf(&xml, rows[i].xml, "<policy_published><domain>x</domain></policy_published></feedback>");
        if (!dmarc_report_read(buf_slice(&xml), &arena, &r, &e))
            fail_msg("%zu: %s", i, e.text);
        same(r.organisation, slice_str(rows[i].organisation));
    }
}

static void test_deep(void **state) {
    (void)state;
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    BUF_AUTO struct buf xml = {.max = 1 << 20};
    struct dmarc_report r;
    struct err e = {0};
    buf_add_str(&xml, "<feedback>");
    for (int i = 0; i < 1000; i++)
        buf_add_str(&xml, "<a_name_that_is_longer_than_any_we_know>");
    assert_false(dmarc_report_read(buf_slice(&xml), &arena, &r, &e));
    assert_true(slice_ends(slice_str(e.text), SLICE("too deep")));
}

// --- packed

static void gzip(struct slice in, int window, struct buf *out) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, in.n);
    z.next_out = (Bytef *)buf_reserve(out, room);
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_commit(out, room - z.avail_out);
    deflateEnd(&z);
}

static void zip(struct slice in, struct buf *out) {
    static const char head[30] = "PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0";
    buf_add(out, slice_of(head, sizeof head));
    buf_add_str(out, "a.xml");
    gzip(in, -15, out);
    buf_add_str(out, "PK\x07\x08 what follows");
}

static void mail(struct slice in, const char *type, struct buf *out) {
    buf_addf(out,
             "From: x\r\nContent-Type: multipart/mixed;\r\n boundary=\"a b\"\r\n\r\npreamble\r\n--a b\r\n\r\n"
             "text\r\n--a b\r\nContent-Type: %s\r\nContent-Transfer-Encoding: BASE64\r\n\r\n",
             type);
    base64_encode(out, in);
    buf_add_str(out, "\r\n--a b--\r\n");
}

static void test_unpack(void **state) {
    (void)state;
    BUF_AUTO struct buf xml = {.max = 1 << 20}, gz = {.max = 1 << 20}, pk = {.max = 1 << 20}, m = {.max = 1 << 20},
                        whole = {.max = 1 << 20};
    struct err e = {0};
    write_sample(&xml);
    gzip(buf_slice(&xml), 31, &gz);
    zip(buf_slice(&xml), &pk);
    mail(buf_slice(&pk), "application/zip", &m);
    buf_addf(&whole,
             "Subject: fwd\r\nContent-Type: multipart/x; boundary=q\r\n\r\n--q\r\n\r\nhi\r\n--q\r\n"
             "Content-Type: message/rfc822\r\n\r\n%.*s\r\n--q--\r\n",
             SLICE_ARG(buf_slice(&m)));
    const struct buf *files[] = {&xml, &gz, &pk, &m, &whole};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        BUF_AUTO struct buf out = {.max = 1 << 20};
        if (!report_unpack(buf_slice(files[i]), &out, &e))
            fail_msg("%zu: %s", i, e.text);
        same(buf_slice(&out), buf_slice(&xml));
    }
    for (size_t n = 0; n < m.n; n++) { // cut anywhere: an answer
        BUF_AUTO struct buf out = {.max = 1 << 20};
        (void)!report_unpack(slice_upto(buf_slice(&m), n), &out, &e);
    }
}

static void unpacks_to(struct slice file, struct slice want) {
    BUF_AUTO struct buf out = {.max = 1 << 20};
    struct err e = {0};
    if (!report_unpack(file, &out, &e))
        fail_msg("%s: %.*s", e.text, SLICE_ARG(slice_upto(file, 200)));
    same(slice_trim(buf_slice(&out)), slice_trim(want));
}

// As senders and mail programs make them.
static void test_mails(void **state) {
    (void)state;
    BUF_AUTO struct buf xml = {.max = 1 << 20}, gz = {.max = 1 << 20}, text = {.max = 1 << 20}, m = {.max = 1 << 20};
    write_sample(&xml);
    // quoted-printable, XML
    buf_add_str(&m, "Content-Type: text/xml\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n");
    quoted_printable_add(&m, buf_slice(&xml));
    unpacks_to(buf_slice(&m), buf_slice(&xml));
    // quoted-printable, gzip in two members
    gzip(slice_upto(buf_slice(&xml), 100), 31, &gz);
    gzip(slice_from(buf_slice(&xml), 100), 31, &gz);
    unpacks_to(buf_slice(&gz), buf_slice(&xml));
    buf_reset(&m);
    buf_add_str(&m, "Content-Type: application/gzip\nContent-Transfer-Encoding: quoted-printable\n\n");
    for (size_t i = 0; i < gz.n; i++)
        buf_addf(&m, "=%02x%s", (unsigned)(uint8_t)gz.p[i], i % 20 == 19 ? "=\n" : "");
    unpacks_to(buf_slice(&m), buf_slice(&xml));
    // base64 without padding and with a footer of somebody else; a boundary that begins as the one around it; mbox
    base64_encode(&text, buf_slice(&gz));
    while (text.p[text.n - 1] == '=')
        text.n--;
    buf_reset(&m);
    buf_addf(&m,
             "From a@b Sat Nov 21 20:00:00 2026\nContent-Type: multipart/mixed; boundary=\"=_1\"\n\n--=_1\n"
             "Content-Type: multipart/alternative; boundary=\"=_12\"\n\n--=_12\n\nhi\n--=_12--\n--=_1 \n"
             "Content-Transfer-Encoding: base64 \n\n%.*s \n--=_1--\n",
             SLICE_ARG(buf_slice(&text)));
    unpacks_to(buf_slice(&m), buf_slice(&xml));
    // a directory and a note ahead of the file
    static const char directory[30] = "PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0";
    buf_reset(&m);
    buf_add(&m, slice_of(directory, sizeof directory));
    buf_add_str(&m, "r/");
    zip(SLICE("read me"), &m);
    zip(buf_slice(&xml), &m);
    unpacks_to(buf_slice(&m), buf_slice(&xml));
}

static void test_bomb(void **state) {
    (void)state;
    static char zeros[1 << 20];
    BUF_AUTO struct buf gz = {.max = 2 << 20}, out = {.max = 1 << 16};
    struct err e = {0};
    gzip(slice_of(zeros, sizeof zeros), 31, &gz);
    assert_false(report_unpack(buf_slice(&gz), &out, &e));
    assert_string_equal(e.text, "it unpacks to more than 65536 bytes");
    assert_false(report_unpack(SLICE("hello"), &out, &e));
    assert_false(report_unpack(SLICE("PK\x03\x04"), &out, &e));
    assert_false(report_unpack(SLICE("\x1f\x8b"), &out, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),  cmocka_unit_test(test_bad),    cmocka_unit_test(test_deep),
        cmocka_unit_test(test_sloppy), cmocka_unit_test(test_unpack), cmocka_unit_test(test_mails),
        cmocka_unit_test(test_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
