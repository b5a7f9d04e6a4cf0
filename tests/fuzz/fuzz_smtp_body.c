// fuzz_smtp_body: content inside DATA and BDAT and out again; cutting the input anywhere changes nothing, only
// <CRLF>.<CRLF> ends it, and what we send has no line end of another kind. First byte: the mode; second: where to cut.
#include "fuzz.h"

#include "wire/smtp_body.h"

enum { ROOM = 1 << 22 };

struct result {
    struct smtp_body d;
    struct buf out;
    size_t used;
};

static void decode(struct slice in, enum smtp_body_mode mode, size_t piece, struct result *r) {
    *r = (struct result){.d = {.mode = mode}, .out = {.max = ROOM}};
    while (r->used < in.n && !r->d.done) {
        size_t consumed;
        smtp_body_feed(&r->d, slice_upto(slice_from(in, r->used), piece), &r->out, &consumed);
        r->used += consumed;
    }
}

static void check_same(const struct result *a, const struct result *b) {
    FUZZ_CHECK(a->used == b->used && slice_eq(buf_slice(&a->out), buf_slice(&b->out)));
    FUZZ_CHECK(a->d.state == b->d.state && a->d.size == b->d.size && a->d.done == b->d.done);
    FUZZ_CHECK(a->d.bare_cr == b->d.bare_cr && a->d.bare_lf == b->d.bare_lf && a->d.nul == b->d.nul);
}

// How much of `in` is content with its end, said in the simplest way; in.n + 1 where there is no end.
static size_t naive_end(struct slice in) {
    if (slice_starts(in, SLICE(".\r\n")))
        return 3;
    size_t at = slice_search(in, SLICE("\r\n.\r\n"));
    return at < in.n ? at + 5 : in.n + 1;
}

static void check_lines(struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        FUZZ_CHECK((s.p[i] == '\n') == (i > 0 && s.p[i - 1] == '\r'));
        FUZZ_CHECK(s.p[i] != '\r' || i + 1 == s.n || s.p[i + 1] == '\n');
    }
}

static void check_decode(struct slice in, enum smtp_body_mode mode, size_t piece) {
    struct result whole, cut;
    decode(in, mode, in.n + 1, &whole);
    decode(in, mode, piece, &cut);
    check_same(&whole, &cut);
    size_t end = naive_end(in);
    FUZZ_CHECK(whole.d.done == (end <= in.n) && (!whole.d.done || whole.used == end));
    if (mode == SMTP_BODY_REPAIR) {
        FUZZ_CHECK(whole.d.size == whole.out.n);
        check_lines(buf_slice(&whole.out));
    }
    if (mode == SMTP_BODY_DISCARD)
        FUZZ_CHECK(whole.out.n == 0);
    buf_done(&whole.out);
    buf_done(&cut.out);
}

static void chunks(struct slice in, size_t piece, struct result *r) {
    *r = (struct result){.d = {.mode = SMTP_BODY_REPAIR}, .out = {.max = ROOM}};
    for (; r->used < in.n; r->used += piece)
        smtp_body_chunk(&r->d, slice_upto(slice_from(in, r->used), piece), &r->out);
    r->used = in.n;
    smtp_body_chunks_end(&r->d, &r->out);
}

static void encode(struct slice in, size_t piece, struct buf *out) {
    struct smtp_encode e = {0};
    for (size_t at = 0; at < in.n; at += piece)
        FUZZ_CHECK(smtp_body_encode(slice_upto(slice_from(in, at), piece), &e, out));
    FUZZ_CHECK(smtp_body_encode_end(&e, out));
}

static bool has_nul(struct slice s) { return slice_find(s, '\0') < s.n; }

// Sent and received again it is what BDAT makes of the same content, with a line end at its end.
static void check_encode(struct slice in, size_t piece) {
    struct buf whole BUF_AUTO = {.max = ROOM}, cut BUF_AUTO = {.max = ROOM};
    struct result chunked, pieces, back;
    encode(in, in.n + 1, &whole);
    encode(in, piece, &cut);
    FUZZ_CHECK(slice_eq(buf_slice(&whole), buf_slice(&cut)) && !has_nul(buf_slice(&whole)));
    check_lines(buf_slice(&whole));
    chunks(in, in.n + 1, &chunked);
    chunks(in, piece, &pieces);
    check_same(&chunked, &pieces);
    decode(buf_slice(&whole), SMTP_BODY_REFUSE, whole.n, &back);
    FUZZ_CHECK(back.d.done && back.used == whole.n && !back.d.bare_cr && !back.d.bare_lf);
    if (chunked.out.n && !slice_ends(buf_slice(&chunked.out), SLICE("\r\n")))
        buf_add(&chunked.out, SLICE("\r\n"));
    if (!has_nul(in))
        FUZZ_CHECK(slice_eq(buf_slice(&back.out), buf_slice(&chunked.out)));
    buf_done(&chunked.out);
    buf_done(&pieces.out);
    buf_done(&back.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    enum smtp_body_mode mode = (enum smtp_body_mode)fuzz_choose(&in, 3);
    size_t piece = fuzz_choose(&in, 200) + 1;
    if (in.n > 1 << 16)
        return 0;
    check_decode(in, mode, piece);
    check_decode(in, mode, 1);
    check_encode(in, piece);
    return 0;
}
