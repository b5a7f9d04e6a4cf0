// notice: header and text.
#include "mail/dsn/notice.h"

#include "base/utf8.h"
#include "mail/dsn/dsn_text.h"
#include "mail/quoted_printable.h"

enum { ADDRESS_MAX = 400, NAME_MAX_SHOWN = 300, SUBJECT_MAX = 200 };

static void add_header(struct buf *b, const struct notice *n) {
    BUF_AUTO struct buf subject = {.max = 4 * SUBJECT_MAX};
    buf_add_str(b, "From: Mail Delivery System <mailer-daemon@");
    dsn_text_add(b, n->hostname, NAME_MAX_SHOWN, false);
    buf_add_str(b, ">\r\nTo: <");
    dsn_text_add(b, n->to, ADDRESS_MAX, false);
    buf_add_str(b, ">\r\n");
    dsn_text_add(&subject, n->subject, SUBJECT_MAX, false);
    dsn_text_field(b, "Subject", buf_slice(&subject));
    buf_add_str(b, "Date: ");
    wall_add_rfc5322(b, n->now);
    buf_addf(b, "\r\nMessage-ID: <notice.%llx.%016llx@", (unsigned long long)n->now.ms, (unsigned long long)n->random);
    dsn_text_add(b, n->hostname, NAME_MAX_SHOWN, false);
    buf_add_str(b, ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n");
}

static void add_lines(struct buf *b, struct slice text) {
    struct slice line, rest = utf8_upto(text, NOTICE_MAX);
    while (rest.n) {
        slice_cut(rest, '\n', &line, &rest);
        dsn_text_add(b, line, line.n, true);
        buf_add_str(b, "\r\n");
    }
}

bool notice_write(const struct notice *n, struct buf *out) {
    BUF_AUTO struct buf text = {.max = 3 * NOTICE_MAX};
    add_header(out, n);
    add_lines(&text, n->text);
    bool plain = quoted_printable_needless(buf_slice(&text));
    buf_addf(out, "Content-Transfer-Encoding: %s\r\n\r\n", plain ? "7bit" : "quoted-printable");
    if (plain)
        buf_add(out, buf_slice(&text));
    else
        quoted_printable_add(out, buf_slice(&text));
    return !out->failed && !text.failed;
}
