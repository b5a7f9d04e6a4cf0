// fuzz_dkim_canon: a body's canonical form is what the words of RFC 6376 3.4.3 and 3.4.4 say, done in the simplest way,
// however the body is cut; a header's is the same when it is made again. First byte: the form; second: where to cut.
#include "fuzz.h"

#include "mail/dkim/dkim_canon.h"
#include "mail/dkim/dkim_sign.h"
#include "mail/header/header.h"

enum { ROOM = 1 << 22 };

static void collect(void *arg, struct slice bytes) { buf_add(arg, bytes); }

static void stream(enum dkim_canon canon, struct slice body, size_t piece, struct buf *out) {
    struct dkim_body b = {.canon = canon, .sink = collect, .arg = out};
    for (struct slice rest = body; rest.n; rest = slice_from(rest, piece))
        dkim_body_add(&b, slice_upto(rest, piece));
    dkim_body_end(&b, NULL);
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static void naive_blanks(struct slice body, struct buf *out) {
    for (size_t i = 0; i < body.n; i++) {
        if (!is_blank(body.p[i])) {
            buf_add_char(out, body.p[i]);
            continue;
        }
        while (i + 1 < body.n && is_blank(body.p[i + 1]))
            i++;
        if (!slice_starts(slice_from(body, i + 1), SLICE("\r\n")))
            buf_add_char(out, ' ');
    }
}

static void naive(enum dkim_canon canon, struct slice body, struct buf *out) {
    if (canon == DKIM_RELAXED)
        naive_blanks(body, out);
    else
        buf_add(out, body);
    while (slice_ends(buf_slice(out), SLICE("\r\n")))
        out->n -= 2;
    if (out->n || canon == DKIM_SIMPLE)
        buf_add_str(out, "\r\n");
}

// What is signed of a header is the same for its relaxed form as for itself.
static void check_header(struct slice in) {
    BUF_AUTO struct buf relaxed = {.max = ROOM};
    struct dkim_sign_header a, b;
    struct header_field field;
    for (struct slice rest = in; header_next(&rest, &field);) {
        dkim_canon_field(DKIM_RELAXED, field.whole, &relaxed);
        buf_add_str(&relaxed, "\r\n");
    }
    FUZZ_CHECK(dkim_sign_header(DKIM_RELAXED, in, &a) && dkim_sign_header(DKIM_RELAXED, buf_slice(&relaxed), &b));
    FUZZ_CHECK(slice_eq(buf_slice(&a.names), buf_slice(&b.names)));
    FUZZ_CHECK(slice_eq(buf_slice(&a.canonical), buf_slice(&b.canonical)));
    dkim_sign_header_done(&a);
    dkim_sign_header_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    BUF_AUTO struct buf whole = {.max = ROOM}, cut = {.max = ROOM}, plain = {.max = ROOM};
    enum dkim_canon canon = fuzz_choose(&in, 2) ? DKIM_RELAXED : DKIM_SIMPLE;
    size_t piece = 1 + fuzz_choose(&in, 80);
    stream(canon, in, in.n + 1, &whole);
    stream(canon, in, piece, &cut);
    naive(canon, in, &plain);
    FUZZ_CHECK(slice_eq(buf_slice(&whole), buf_slice(&plain)));
    FUZZ_CHECK(slice_eq(buf_slice(&cut), buf_slice(&plain)));
    check_header(in);
    return 0;
}
