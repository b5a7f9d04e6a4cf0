// arc_seal: three fields. Their tags are in the order of the alphabet, as the test suite for ARC has them.
#include "mail/arc/arc_seal.h"

#include "base/base64.h"
#include "mail/dkim/dkim_select.h"
#include "mail/dkim/dkim_sign.h"
#include "mail/header/header.h"

enum { WIDTH = 76, FIELD_MAX = 1024 * 1024, SIGNATURE_BYTES = 2048, SEAL_ROOM = 700 };
enum { MAIL_SIGNATURES = 20 }; // DKIM-Signatures that are signed, the lowest ones

// --- fields

struct writer {
    struct buf *to;
    size_t width, column;
};

static void put(struct writer *w, struct slice s) {
    buf_add(w->to, s);
    w->column += s.n;
}

static void new_line(struct writer *w) {
    buf_add(w->to, SLICE("\r\n "));
    w->column = 1;
}

// A word behind a space, on this line or the next.
static void put_word(struct writer *w, struct slice s) {
    if (w->column + 1 + s.n > w->width)
        new_line(w);
    else
        put(w, SLICE(" "));
    put(w, s);
}

// A line may be broken at each space that isn't quoted; in a comment nothing is.
static void put_words(struct writer *w, struct slice text) {
    size_t begin = 0, comments = 0;
    bool quoted = false;
    for (size_t i = 0; i <= text.n; i++) {
        if (i >= text.n || (ascii_space(text.p[i]) && !quoted)) {
            if (i > begin)
                put_word(w, slice_upto(slice_from(text, begin), i - begin));
            begin = i + 1;
        } else if (text.p[i] == '\\') {
            i++;
        } else if (quoted || (text.p[i] == '"' && !comments)) {
            quoted = !quoted || text.p[i] != '"';
        } else {
            comments += text.p[i] == '(';
            comments -= text.p[i] == ')' && comments;
        }
    }
}

// "; NAME=VALUE", but no "; " before the first.
static void put_tag(struct writer *w, bool first, const char *name, struct slice value) {
    BUF_AUTO struct buf tag = {.max = FIELD_MAX};
    buf_add_str(&tag, name);
    buf_add_char(&tag, '=');
    buf_add(&tag, value);
    if (!first)
        put(w, SLICE(";"));
    put_word(w, buf_slice(&tag));
    w->to->failed |= tag.failed;
}

static void put_number(struct writer *w, const char *name, uint64_t value) {
    char text[24];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    buf_add_u64(&b, value);
    put_tag(w, false, name, buf_slice(&b));
}

// A line may be broken behind each colon.
static void put_names(struct writer *w, struct slice names) {
    put(w, SLICE(";"));
    put_word(w, SLICE("h="));
    while (names.n) {
        struct slice name;
        bool more = slice_cut(names, ':', &name, &names);
        if (w->column + name.n + 1 > w->width)
            new_line(w);
        put(w, name);
        if (more)
            put(w, SLICE(":"));
    }
}

static struct writer writer_of(const struct arc_seal *s, struct buf *to) {
    return (struct writer){.to = to, .width = s->by.width ? s->by.width : WIDTH};
}

// What all three begin with but the results: "NAME: a=...; b=", and where the signature goes.
static struct writer begin_signed(const struct arc_seal *s, struct buf *to, struct slice name, size_t *at) {
    struct writer w = writer_of(s, to);
    put(&w, name);
    put_tag(&w, true, "a", s->by.ed25519 ? SLICE("ed25519-sha256") : SLICE("rsa-sha256"));
    put_tag(&w, false, "b", SLICE_EMPTY);
    *at = to->n;
    w.column = w.width; // what follows the signature begins a line
    return w;
}

static void write_results(struct arc_seal *s, struct slice results) {
    struct writer w = writer_of(s, &s->results);
    put(&w, SLICE("ARC-Authentication-Results:"));
    BUF_AUTO struct buf instance = {.max = 16};
    buf_addf(&instance, "i=%u;", s->instance);
    put_word(&w, buf_slice(&instance));
    put_words(&w, results);
}

static void write_message(struct arc_seal *s, struct slice names, enum dkim_canon body,
                          const uint8_t body_hash[DIGEST_SHA256_SIZE]) {
    struct writer w = begin_signed(s, &s->message, SLICE("ARC-Message-Signature:"), &s->message_at);
    char text[64];
    struct buf hash = {.p = text, .cap = sizeof text, .max = sizeof text};
    base64_encode(&hash, slice_of(body_hash, DIGEST_SHA256_SIZE));
    put_tag(&w, false, "bh", buf_slice(&hash));
    put_tag(&w, false, "c", body == DKIM_RELAXED ? SLICE("relaxed/relaxed") : SLICE("relaxed/simple"));
    put_tag(&w, false, "d", s->by.domain);
    put_names(&w, names);
    put_number(&w, "i", s->instance);
    put_tag(&w, false, "s", s->by.selector);
    put_number(&w, "t", (uint64_t)(s->when.ms / MS_SECOND));
}

static void write_seal(struct arc_seal *s) {
    struct writer w = begin_signed(s, &s->seal, SLICE("ARC-Seal:"), &s->seal_at);
    put_tag(&w, false, "cv", slice_str(s->chain));
    put_tag(&w, false, "d", s->by.domain);
    put_number(&w, "i", s->instance);
    put_tag(&w, false, "s", s->by.selector);
    put_number(&w, "t", (uint64_t)(s->when.ms / MS_SECOND));
}

// Puts a signature into a field, on lines of its own where it is too long for one.
static bool insert(struct buf *field, size_t at, size_t width, struct slice signature) {
    BUF_AUTO struct buf tail = {.max = FIELD_MAX}, text = {.max = 2 * SIGNATURE_BYTES};
    buf_add(&tail, slice_from(buf_slice(field), at));
    if (tail.failed || signature.n > SIGNATURE_BYTES || !base64_encode(&text, signature))
        return false;
    field->n = at;
    for (struct slice rest = buf_slice(&text); rest.n; rest = slice_from(rest, width - 2)) {
        if (text.n > width - 2)
            buf_add_str(field, "\r\n ");
        buf_add(field, slice_upto(rest, width - 2));
    }
    return buf_add(field, buf_slice(&tail));
}

// --- what is signed

// What DKIM would sign (mail/dkim/dkim_sign.h), and the signatures that were there (RFC 8617 4.1.2).
static bool usual_names(struct slice header, struct buf *names) {
    struct dkim_sign_header h;
    struct header_field field;
    if (!dkim_sign_header(DKIM_RELAXED, header, &h))
        return false;
    buf_add(names, buf_slice(&h.names));
    dkim_sign_header_done(&h);
    for (size_t n = 0; n < MAIL_SIGNATURES && header_next(&header, &field);)
        if (slice_ieq(field.name, SLICE("DKIM-Signature")) && ++n)
            buf_add_str(names, ":DKIM-Signature");
    return !names->failed;
}

static bool hash_message(struct arc_seal *s, struct slice header, struct slice names, struct arena *arena) {
    struct dkim_selection fields = {.names = names};
    for (struct slice rest = names, name; dkim_signature_name(&rest, &name);)
        fields.n++;
    return dkim_select(header, &fields, 1, arena) &&
           dkim_signature_hash(DKIM_RELAXED, fields.fields, fields.n, buf_slice(&s->message), s->digest);
}

static bool full(struct err *e) { return err_set(e, ERR_TEMPORARY, "no room to seal"); }

// Which set this one is, what it says of those before it, and whether it is about them.
static bool find_place(struct arc_seal *s, const struct arc_verdict *before, struct slice header, struct arena *arena,
                       struct err *e) {
    struct arc_sets sets;
    struct err why;
    bool broken;
    s->instance = before->instance + 1;
    s->chain = before->result == ARC_NONE ? "none" : before->result == ARC_PASS ? "pass" : "fail";
    if (s->instance > ARC_SETS_MAX)
        return err_set(e, ERR_PERMANENT, "the chain has %d sets; no more can be added", ARC_SETS_MAX);
    if (before->result == ARC_NONE)
        return true;
    if (before->result == ARC_FAIL && before->temporary)
        return err_set(e, ERR_TEMPORARY, "it can't be known now whether the chain holds");
    if (!arc_sets_read(header, s->when, arena, &sets, &broken, &why))
        return full(e);
    if (sets.n && sets.list[sets.n - 1].has_seal && slice_eq(sets.list[sets.n - 1].seal.chain, SLICE("fail")))
        return err_set(e, ERR_PERMANENT, "the chain says itself that it is broken");
    if (before->result == ARC_PASS)
        s->before = sets;
    return true;
}

bool arc_seal_begin(struct arc_seal *s, const struct arc_seal_by *by, const struct arc_verdict *before,
                    struct slice header, struct slice results, struct wall when, enum dkim_canon body,
                    const uint8_t body_hash[DIGEST_SHA256_SIZE], struct arena *arena, struct err *e) {
    BUF_AUTO struct buf names = {.max = FIELD_MAX};
    struct arc_seal found = {
        .by = *by, .when = when, .results.max = FIELD_MAX, .message.max = FIELD_MAX, .seal.max = FIELD_MAX};
    if (!find_place(&found, before, header, arena, e))
        return false;
    if (by->names.n ? !buf_add(&names, by->names) : !usual_names(header, &names))
        return full(e);
    write_results(&found, results);
    write_message(&found, buf_slice(&names), body, body_hash);
    if (found.results.failed || found.message.failed || !hash_message(&found, header, buf_slice(&names), arena)) {
        arc_seal_done(&found);
        return full(e);
    }
    *s = found;
    return true;
}

bool arc_seal_message(struct arc_seal *s, struct slice signature, struct arena *arena) {
    size_t n = 0;
    struct slice *fields = arena_alloc(arena, (3 * s->before.n + 2) * sizeof *fields);
    if (!fields || !insert(&s->message, s->message_at, s->by.width ? s->by.width : WIDTH, signature))
        return false;
    write_seal(s);
    if (s->before.n) {
        n = arc_sets_sealed(&s->before, 1, s->before.n, fields);
        fields[n++] = s->before.list[s->before.n - 1].seal.whole;
    }
    fields[n++] = buf_slice(&s->results);
    fields[n++] = buf_slice(&s->message);
    return !s->seal.failed && dkim_signature_hash(DKIM_RELAXED, fields, n, buf_slice(&s->seal), s->digest);
}

bool arc_seal_finish(struct arc_seal *s, struct slice signature, struct buf *out) {
    if (!insert(&s->seal, s->seal_at, s->by.width ? s->by.width : WIDTH, signature))
        return false;
    buf_add(out, buf_slice(&s->seal));
    buf_add_str(out, "\r\n");
    buf_add(out, buf_slice(&s->message));
    buf_add_str(out, "\r\n");
    buf_add(out, buf_slice(&s->results));
    return buf_add_str(out, "\r\n");
}

void arc_seal_done(struct arc_seal *s) {
    buf_done(&s->results);
    buf_done(&s->message);
    buf_done(&s->seal);
}

size_t arc_seal_room(const struct arc_seal *s, size_t signature) {
    size_t base64 = (signature + 2) / 3 * 4, line = s->by.width ? s->by.width : WIDTH;
    return s->results.n + s->message.n + 2 * (base64 + 3 * (base64 / (line - 2) + 1)) + SEAL_ROOM + s->by.domain.n +
           s->by.selector.n;
}
