// dkim_canon: blocks that need no change are found sixteen bytes at a time and hashed where they lie; the rest goes
// byte by byte.
#include "mail/dkim/dkim_canon.h"

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

// --- fields

static struct slice without_line_end(struct slice s) {
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

// Unfolded, each run of blanks one space, none at either end (RFC 6376 3.4.2). Gives the end of what was written.
static char *relax_value(struct slice value, char *to) {
    bool blank = false, some = false;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (is_blank(c)) {
            blank = true;
        } else if (c != '\n' && !(c == '\r' && i + 1 < value.n && value.p[i + 1] == '\n')) {
            if (blank && some)
                *to++ = ' ';
            *to++ = c;
            blank = false;
            some = true;
        }
    }
    return to;
}

bool dkim_canon_field(enum dkim_canon canon, struct slice whole, struct buf *out) {
    struct slice field = without_line_end(whole), name, value;
    if (canon == DKIM_SIMPLE)
        return buf_add(out, field);
    slice_cut(field, ':', &name, &value);
    name = slice_trim(name);
    char *begin = buf_reserve(out, field.n + 1), *to = begin;
    if (!begin)
        return false;
    for (size_t i = 0; i < name.n; i++)
        *to++ = ascii_lower(name.p[i]);
    *to++ = ':';
    to = relax_value(value, to);
    buf_commit(out, (size_t)(to - begin));
    return true;
}

// --- bodies

enum { OUT_SIZE = 2048, DIRECT = 512 }; // bytes; longer runs aren't copied

struct out {
    struct dkim_body *body;
    size_t n;
    char text[OUT_SIZE];
};

static void pass(struct dkim_body *b, struct slice s) {
    b->bytes += s.n;
    if (b->sink)
        b->sink(b->arg, s);
    else
        digest_add(&b->hash, s);
}

static void flush(struct out *o) {
    if (o->n)
        pass(o->body, slice_of(o->text, o->n));
    o->n = 0;
}

static void put(struct out *o, struct slice s) {
    if (s.n > OUT_SIZE - o->n || s.n >= DIRECT)
        flush(o);
    if (s.n >= DIRECT) {
        pass(o->body, s);
    } else if (s.n) {
        memcpy(o->text + o->n, s.p, s.n);
        o->n += s.n;
    }
}

// What was held back turns out not to be the body's end.
static void put_held(struct out *o) {
    struct dkim_body *b = o->body;
    for (; b->line_ends; b->line_ends--)
        put(o, SLICE("\r\n"));
    if (b->blank)
        put(o, SLICE(" "));
    if (b->cr)
        put(o, SLICE("\r"));
    b->blank = b->cr = false;
}

static void step(struct out *o, char c) {
    struct dkim_body *b = o->body;
    if (b->cr && c == '\n') { // blanks before it vanish
        b->line_ends++;
        b->blank = b->cr = false;
        return;
    }
    if (b->cr)
        put_held(o);
    if (c == '\r') {
        b->cr = true;
    } else if (b->canon == DKIM_RELAXED && is_blank(c)) {
        b->blank = true;
    } else {
        put_held(o);
        put(o, slice_of(&c, 1));
    }
}

typedef signed char sixteen __attribute__((vector_size(16)));

// A tab, or a space that another blank or an end of line follows: what the relaxed form changes.
static bool is_changed(char c, char next) { return c == '\t' || (c == ' ' && (is_blank(next) || next == '\r')); }

static bool any_changed(const char *p) {
    sixteen here, next;
    uint64_t halves[2];
    memcpy(&here, p, sizeof here);
    memcpy(&next, p + 1, sizeof next);
    sixteen found = (here == '\t') | ((here == ' ') & ((next == ' ') | (next == '\t') | (next == '\r')));
    memcpy(halves, &found, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

// How many bytes at the start stay as they are. Of the last byte nobody knows what follows.
static size_t unchanged(enum dkim_canon canon, struct slice s) {
    size_t i = 0;
    if (canon == DKIM_SIMPLE)
        return s.n;
    while (i + sizeof(sixteen) < s.n && !any_changed(s.p + i))
        i += sizeof(sixteen);
    while (i + 1 < s.n && !is_changed(s.p[i], s.p[i + 1]))
        i++;
    return i;
}

// A start of `s` that stays as it is, but for line ends at its end, which are held back. Gives its length.
static size_t put_unchanged(struct out *o, struct slice s) {
    size_t n = unchanged(o->body->canon, s), line_ends = 0;
    if (n && s.p[n - 1] == '\r')
        n--;
    struct slice run = slice_upto(s, n);
    for (; slice_ends(run, SLICE("\r\n")); run.n -= 2)
        line_ends++;
    if (run.n) {
        put_held(o);
        put(o, run);
    }
    o->body->line_ends += line_ends;
    return n;
}

void dkim_body_begin(struct dkim_body *b, enum dkim_canon canon) {
    struct digest hash = b->hash; // its memory serves again
    *b = (struct dkim_body){.canon = canon, .hash = hash};
    digest_init(&b->hash, DIGEST_SHA256);
}

void dkim_body_add(struct dkim_body *b, struct slice piece) {
    struct out o; // its text is not worth zeroing
    o.body = b;
    o.n = 0;
    while (piece.n) {
        if (!b->blank && !b->cr)
            piece = slice_from(piece, put_unchanged(&o, piece));
        if (piece.n)
            step(&o, piece.p[0]);
        piece = slice_from(piece, 1);
    }
    flush(&o);
}

// All line ends at the end become one, which is added where there is none; nothing at all stays so in the relaxed form
// (RFC 6376 3.4.3, 3.4.4).
void dkim_body_end(struct dkim_body *b, uint8_t hash[DIGEST_SHA256_SIZE]) {
    struct out o;
    o.body = b;
    o.n = 0;
    if (b->blank || b->cr)
        put_held(&o);
    if (b->bytes || o.n || b->canon == DKIM_SIMPLE)
        put(&o, SLICE("\r\n"));
    flush(&o);
    if (hash)
        digest_end(&b->hash, hash);
}

void dkim_body_done(struct dkim_body *b) { digest_done(&b->hash); }
