// fuzz_submit_lines: only CRLF is added, no line stays too long, and cutting the input anywhere changes nothing. First
// byte: where to cut; with the second, bytes are repeated, so that short inputs make long lines.
#include "submit_check.h"

#include "base/utf8.h"
#include "wire/smtp_body.h"

enum { ROOM = 1 << 22 };

static struct submit_lines run(struct slice in, size_t piece, struct buf *out) {
    struct submit_lines l = {0};
    for (size_t at = 0; at < in.n; at += piece)
        submit_lines_feed(&l, slice_upto(slice_from(in, at), piece), out);
    submit_lines_end(&l, out);
    FUZZ_CHECK(!out->failed);
    return l;
}

// A character at the end of a line isn't cut unless there is no telling where it begins.
static void check_characters(struct slice in, struct slice out) {
    while (utf8_valid(in) && out.n) {
        struct slice line;
        slice_cut(out, '\n', &line, &out);
        FUZZ_CHECK(utf8_valid(line));
    }
}

static void repeat(struct slice in, size_t times, struct buf *to) {
    struct smtp_body body = {.mode = SMTP_BODY_REPAIR};
    struct buf b BUF_AUTO = {.max = ROOM};
    while (in.n) {
        struct slice line;
        bool more = slice_cut(in, '\n', &line, &in);
        for (size_t i = 0; i < times; i++)
            buf_add(&b, line);
        if (more)
            buf_add_char(&b, '\n');
    }
    smtp_body_chunk(&body, buf_slice(&b), to);
    smtp_body_chunks_end(&body, to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf repaired BUF_AUTO = {.max = ROOM}, whole BUF_AUTO = {.max = ROOM}, cut BUF_AUTO = {.max = ROOM};
    struct slice in = slice_of(data, size);
    size_t piece = 1 + 5 * (size_t)fuzz_choose(&in, 250), times = 1 + fuzz_choose(&in, 100);
    if (in.n > 1 << 12)
        return 0;
    repeat(in, times, &repaired);
    struct submit_lines a = run(buf_slice(&repaired), ROOM, &whole), b = run(buf_slice(&repaired), piece, &cut);
    FUZZ_CHECK(slice_eq(buf_slice(&whole), buf_slice(&cut)) && a.eight == b.eight && a.not_utf8 == b.not_utf8);
    FUZZ_CHECK(a.not_utf8 == !utf8_valid(buf_slice(&repaired)) && a.eight == !utf8_ascii(buf_slice(&repaired)));
    submit_check_body(buf_slice(&repaired), buf_slice(&whole));
    check_characters(buf_slice(&repaired), buf_slice(&whole));
    return 0;
}
