// smtp_body: dots and line ends of content. Most content is lines that need nothing: clean_run() finds how far that
// goes, many bytes at a time, and only what is left goes through the table of states.
#include "wire/smtp_body.h"

#include <assert.h>

enum { BLOCK = 64 }; // bytes looked at together; a constant, so that the compiler makes vector code of it

// Whether the byte after `before` needs a closer look: a NUL, half of a line break, or a dot that begins a line.
static inline uint8_t odd(uint8_t before, uint8_t c) {
    return (uint8_t)((c == 0) | ((c == '\n') ^ (before == '\r')) | ((before == '\n') & (c == '.')));
}

static bool block_is_clean(const uint8_t *p) {
    uint8_t any = 0;
    for (int i = 0; i < BLOCK; i++)
        any |= odd(p[i - 1], p[i]);
    return !any;
}

// How many bytes at the start of `s` (not empty) can be taken as they are, when its first byte can.
static size_t clean_run(struct slice s) {
    const uint8_t *p = (const uint8_t *)s.p;
    size_t i = 1;
    while (i + BLOCK <= s.n && block_is_clean(p + i))
        i += BLOCK;
    while (i < s.n && !odd(p[i - 1], p[i]))
        i++;
    return i;
}

// The state after a clean run.
static enum smtp_body_state state_after(char last) {
    if (last == '\r')
        return SMTP_BODY_CR;
    return last == '\n' ? SMTP_BODY_LINE_START : SMTP_BODY_TEXT;
}

// Whether a clean run may begin with `c`: everything that the table of states takes from here to TEXT without a word.
static bool plain(enum smtp_body_state state, char c) {
    return (state == SMTP_BODY_TEXT || (state == SMTP_BODY_LINE_START && c != '.')) && c != '\n' && c != '\r' && c;
}

static bool keeps(const struct smtp_body *d) {
    return d->mode == SMTP_BODY_REPAIR || (d->mode == SMTP_BODY_REFUSE && !d->bare_cr && !d->bare_lf);
}

static void keep(struct smtp_body *d, struct slice s, struct buf *out) {
    d->size += s.n;
    if (keeps(d))
        buf_add(out, s);
}

static void bare_cr(struct smtp_body *d, struct buf *out) {
    d->bare_cr = true;
    keep(d, SLICE("\r\n"), out);
}

// A run of content; its last byte waits in the state when it is a CR.
static size_t take_run(struct smtp_body *d, struct slice in, struct buf *out) {
    size_t n = clean_run(in);
    d->state = state_after(in.p[n - 1]);
    keep(d, slice_upto(in, n - (d->state == SMTP_BODY_CR)), out);
    return n;
}

// One byte at LINE_START or TEXT.
static void take_byte(struct smtp_body *d, char c, bool dots, struct buf *out) {
    if (c == '\r') {
        d->state = SMTP_BODY_CR;
    } else if (c == '.' && dots && d->state == SMTP_BODY_LINE_START) {
        d->state = SMTP_BODY_DOT;
    } else if (c == '\n') {
        d->bare_lf = true;
        keep(d, SLICE("\r\n"), out);
        d->state = SMTP_BODY_TEXT;
    } else {
        d->nul = d->nul || c == '\0';
        keep(d, slice_of(&c, 1), out);
        d->state = SMTP_BODY_TEXT;
    }
}

// One byte in any state. The states with a CR look at the byte again once the CR is known to be bare.
static void step(struct smtp_body *d, char c, bool dots, struct buf *out) {
    switch (d->state) {
    case SMTP_BODY_CR:
        if (c == '\n') {
            keep(d, SLICE("\r\n"), out);
            d->state = SMTP_BODY_LINE_START;
            return;
        }
        bare_cr(d, out);
        d->state = SMTP_BODY_TEXT;
        break;
    case SMTP_BODY_DOT:
        d->state = c == '\r' ? SMTP_BODY_DOT_CR : SMTP_BODY_TEXT;
        if (c == '\r')
            return;
        break;
    case SMTP_BODY_DOT_CR:
        if (c == '\n') {
            d->done = true;
            return;
        }
        bare_cr(d, out);
        d->state = SMTP_BODY_TEXT;
        break;
    case SMTP_BODY_LINE_START:
    case SMTP_BODY_TEXT:
        break;
    }
    take_byte(d, c, dots, out);
}

static size_t feed(struct smtp_body *d, struct slice in, bool dots, struct buf *out) {
    size_t i = 0;
    while (i < in.n && !d->done) {
        if (plain(d->state, in.p[i]))
            i += take_run(d, slice_from(in, i), out);
        else
            step(d, in.p[i++], dots, out);
    }
    return i;
}

bool smtp_body_feed(struct smtp_body *d, struct slice in, struct buf *out, size_t *consumed) {
    assert(!d->done);
    *consumed = feed(d, in, true, out);
    return d->done;
}

void smtp_body_chunk(struct smtp_body *d, struct slice in, struct buf *out) { feed(d, in, false, out); }

void smtp_body_chunks_end(struct smtp_body *d, struct buf *out) {
    if (d->state == SMTP_BODY_CR)
        bare_cr(d, out);
    d->state = SMTP_BODY_TEXT;
    d->done = true;
}

// One byte that doesn't begin a clean run. A CR that waited becomes a line break now, with or without its LF.
static void encode_byte(struct smtp_encode *e, char c, struct buf *out) {
    if (e->state == SMTP_BODY_CR || c == '\n') {
        buf_add(out, SLICE("\r\n"));
        e->state = SMTP_BODY_LINE_START;
    }
    if (c == '\r') {
        e->state = SMTP_BODY_CR;
    } else if (c != '\n' && c != '\0') {
        if (c == '.' && e->state == SMTP_BODY_LINE_START)
            buf_add_char(out, '.');
        buf_add_char(out, c);
        e->state = SMTP_BODY_TEXT;
    }
}

bool smtp_body_encode(struct slice content, struct smtp_encode *e, struct buf *out) {
    size_t i = 0;
    while (i < content.n && !out->failed) {
        if (!plain(e->state, content.p[i])) {
            encode_byte(e, content.p[i++], out);
            continue;
        }
        struct slice rest = slice_from(content, i);
        size_t n = clean_run(rest);
        e->state = state_after(rest.p[n - 1]);
        buf_add(out, slice_upto(rest, n - (e->state == SMTP_BODY_CR)));
        i += n;
    }
    return !out->failed;
}

bool smtp_body_encode_end(struct smtp_encode *e, struct buf *out) {
    if (e->state != SMTP_BODY_LINE_START)
        buf_add(out, SLICE("\r\n"));
    e->state = SMTP_BODY_LINE_START;
    return buf_add(out, SLICE(".\r\n"));
}
