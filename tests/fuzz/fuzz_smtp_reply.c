// fuzz_smtp_reply: lines of a server, EHLO's keywords, and our own replies with any text.
#include "fuzz.h"

#include "wire/smtp_ext.h"
#include "wire/smtp_reply.h"

static void check_whole(const struct smtp_reply *r) {
    struct buf b BUF_AUTO = {.max = 1 << 16};
    struct err e;
    struct smtp_ext ext;
    FUZZ_CHECK(r->code >= 200 && r->code <= 599 && r->lines >= 1 && r->lines <= SMTP_REPLY_LINES);
    FUZZ_CHECK(r->text.n <= SMTP_REPLY_TEXT_MAX);
    FUZZ_CHECK(!smtp_reply_err(r, &e) && e.kind == (r->code >= 500 ? ERR_PERMANENT : ERR_TEMPORARY));
    FUZZ_CHECK(smtp_reply_add(&b, r));
    for (size_t i = 0; i < b.n; i++)
        FUZZ_CHECK((uint8_t)b.p[i] >= ' ' && b.p[i] != 0x7f);
    smtp_ext_parse(buf_slice(&r->text), &ext);
}

static void read_all(struct slice in) {
    struct smtp_reply r = {0};
    struct err e;
    for (bool more = true; more;) {
        struct slice line;
        more = slice_cut(in, '\n', &line, &in);
        enum smtp_reply_got got = smtp_reply_line(&r, line, &e);
        if (got == SMTP_REPLY_BAD)
            break;
        if (got == SMTP_REPLY_WHOLE)
            check_whole(&r);
    }
    smtp_reply_free(&r);
}

// Whatever the text, what is written is one reply of short lines.
static void write_one(int code, const char *enhanced, struct slice text) {
    struct buf b BUF_AUTO = {.max = 1 << 24};
    struct smtp_reply r = {0};
    struct err e;
    FUZZ_CHECK(smtp_reply_format(&b, code, enhanced, text));
    unsigned lines = 0;
    for (struct slice rest = buf_slice(&b); rest.n;) {
        size_t n = slice_search(rest, SLICE("\r\n"));
        FUZZ_CHECK(n < rest.n && n <= 510 && n >= 4);
        FUZZ_CHECK((rest.p[3] == ' ') == (rest.n == n + 2));
        if (++lines <= SMTP_REPLY_LINES)
            FUZZ_CHECK(smtp_reply_line(&r, slice_upto(rest, n), &e) != SMTP_REPLY_BAD && r.code == code);
        for (size_t i = 0; i < n; i++)
            FUZZ_CHECK((uint8_t)rest.p[i] >= ' ' && rest.p[i] != 0x7f);
        rest = slice_from(rest, n + 2);
    }
    smtp_reply_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    read_all(in);
    write_one(250, NULL, in);
    write_one(550, "5.7.1", in);
    return 0;
}
