// dmarc_report_mail: a text for whoever opens it, and the file.
#include "mail/dmarc/dmarc_report_mail.h"

#include "base/base64.h"
#include "mail/dsn/dsn_text.h"

#include <zlib.h>

enum { GZIP_WINDOW = 31, LINE_BYTES = 57, NAME_MAX_SHOWN = 300 };

static bool gzip(struct slice in, struct buf *out) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t room = deflateBound(&z, in.n);
    char *to = buf_reserve(out, room);
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)room;
    bool ok = to && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (ok)
        buf_commit(out, room - z.avail_out);
    deflateEnd(&z);
    return ok;
}

static void add_base64(struct buf *out, struct slice bytes) {
    for (; bytes.n && !out->failed; bytes = slice_from(bytes, LINE_BYTES)) {
        base64_encode(out, slice_upto(bytes, LINE_BYTES));
        buf_add_str(out, "\r\n");
    }
}

static void add(struct buf *out, struct slice text) { dsn_text_add(out, text, NAME_MAX_SHOWN, false); }

// receiver "!" policy-domain "!" begin "!" end "!" unique-id
static void add_file_name(struct buf *out, const struct dmarc_report_mail *m) {
    add(out, m->hostname);
    buf_add_char(out, '!');
    add(out, m->report->domain);
    buf_addf(out, "!%lld!%lld!", (long long)m->report->begin, (long long)m->report->end);
    add(out, m->report->id);
    buf_add_str(out, ".xml.gz");
}

static void add_header(struct buf *out, const struct dmarc_report_mail *m) {
    const struct dmarc_report *r = m->report;
    buf_add_str(out, "From: <");
    add(out, m->from);
    buf_add_str(out, ">\r\nTo: <");
    add(out, m->to);
    buf_add_str(out, ">\r\nSubject: Report Domain: ");
    add(out, r->domain);
    buf_add_str(out, "\r\n Submitter: ");
    add(out, m->hostname);
    buf_add_str(out, "\r\n Report-ID: <");
    add(out, r->id); // as in the file and its name (RFC 9990 3.1.4)
    buf_add_str(out, ">\r\nDate: ");
    wall_add_rfc5322(out, m->now);
    buf_add_str(out, "\r\nMessage-ID: <");
    add(out, r->id);
    buf_add_str(out, ".dmarc@");
    add(out, m->hostname);
    buf_add_str(out, ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
}

static void add_text(struct buf *out, const struct dmarc_report_mail *m) {
    buf_add_str(out, "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
                     "This is a report about mail that says it is from\r\n");
    add(out, m->report->domain);
    buf_add_str(out, ", as that domain's DMARC record asks for (RFC 9990).\r\n");
}

bool dmarc_report_mail_write(const struct dmarc_report_mail *m, struct buf *out) {
    BUF_AUTO struct buf xml = {.max = DMARC_REPORT_XML_MAX}, file = {.max = DMARC_REPORT_MAIL_MAX},
                        boundary = {.max = 200};
    if (!dmarc_report_write(m->report, &xml) || !gzip(buf_slice(&xml), &file))
        return false;
    buf_add_str(&boundary, "dmarc-");
    add(&boundary, m->report->id);
    add_header(out, m);
    buf_addf(out, "Content-Type: multipart/mixed; boundary=\"%.*s\"\r\n\r\n--%.*s\r\n", SLICE_ARG(buf_slice(&boundary)),
             SLICE_ARG(buf_slice(&boundary)));
    add_text(out, m);
    buf_addf(out,
             "\r\n--%.*s\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n"
             "Content-Disposition: attachment;\r\n filename=\"",
             SLICE_ARG(buf_slice(&boundary)));
    add_file_name(out, m);
    buf_add_str(out, "\"\r\n\r\n");
    add_base64(out, buf_slice(&file));
    buf_addf(out, "\r\n--%.*s--\r\n", SLICE_ARG(buf_slice(&boundary)));
    return !out->failed && !boundary.failed && out->n <= DMARC_REPORT_MAIL_MAX;
}
