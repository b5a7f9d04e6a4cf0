// dkim_verify: reads, hashes, asks, decides. What can be decided without DNS is, so that no forger makes us ask.
#include "mail/dkim/dkim_verify.h"

#include "mail/dkim/dkim_bodies.h"
#include "mail/dkim/dkim_public.h"
#include "mail/dkim/dkim_select.h"
#include "mail/dkim/dkim_signature.h"
#include "mail/header/header.h"

enum { TELLING = 8, TELLING_MOST = 64 }; // characters of b= that tell signatures apart

struct one {
    struct dkim_signature s;
    enum dkim_result result; // NONE: open
    struct slice why;
    size_t key;    // its place among the keys
    uint64_t left; // bytes of the body that it doesn't sign
};

struct dkim_verify_inside {
    struct slice header;
    struct one *list;
    struct dkim_bodies bodies;
    struct dkim_publics keys;
};

const char *dkim_result_name(enum dkim_result r) {
    static const char *const names[] = {"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"};
    return names[r];
}

// --- begin

static void decide(struct one *one, enum dkim_result result, struct slice why, struct arena *arena) {
    one->result = result;
    one->why = arena_dup(arena, why);
}

// RFC 8601 2.7.1: what can't be read is neutral; what can be, and is not to be looked at, a permanent error.
static bool read_one(struct one *one, struct slice whole, struct wall now, struct arena *arena) {
    struct err e;
    if (!dkim_signature_read(DKIM_SIGNATURE_MAIL, whole, arena, &one->s, &e)) {
        decide(one, DKIM_NEUTRAL, slice_str(e.text), arena);
        return err_is_permanent(&e);
    }
    if (!dkim_signature_accept(&one->s, now, &e))
        decide(one, DKIM_PERMERROR, slice_str(e.text), arena);
    return true;
}

static size_t count(struct slice header) {
    size_t n = 0;
    for (struct header_field field; header_next(&header, &field);)
        n += slice_ieq(field.name, SLICE("DKIM-Signature"));
    return n;
}

static bool make_room(struct dkim_verify *v, struct arena *arena) {
    v->list = arena_alloc(arena, v->n * sizeof *v->list);
    v->inside = ARENA_NEW(arena, struct dkim_verify_inside);
    if (!v->list || !v->inside)
        return false;
    v->inside->list = arena_alloc(arena, v->n * sizeof *v->inside->list);
    return v->inside->list && dkim_bodies_init(&v->inside->bodies, v->n, arena) &&
           dkim_publics_init(&v->inside->keys, v->n, arena);
}

static bool read_all(struct dkim_verify *v, struct wall now, struct arena *arena) {
    struct slice rest = v->inside->header;
    struct header_field field;
    for (size_t i = 0; i < v->n && header_next(&rest, &field);) {
        if (!slice_ieq(field.name, SLICE("DKIM-Signature")))
            continue;
        struct one *one = &v->inside->list[i++];
        if (!read_one(one, field.whole, now, arena))
            return false;
        if (one->result == DKIM_NONE)
            dkim_bodies_want(&v->inside->bodies, one->s.body, one->s.length);
    }
    return true;
}

// RFC 6008: enough of b= to tell it from the others'; of two that are the same nothing does.
static struct slice telling_part(const struct dkim_verify *v, size_t which) {
    struct slice text = v->inside->list[which].s.signature_text;
    size_t need = TELLING;
    for (size_t i = 0; i < v->n; i++) {
        struct slice other = v->inside->list[i].s.signature_text;
        size_t same = 0;
        while (i != which && same < text.n && same < other.n && text.p[same] == other.p[same])
            same++;
        if (same >= need && same < TELLING_MOST)
            need = same + 1;
    }
    return slice_upto(text, need);
}

bool dkim_verify_begin(struct dkim_verify *v, struct slice header, struct wall now, struct arena *arena) {
    size_t all = count(header);
    *v = (struct dkim_verify){.n = all < DKIM_VERIFY_SIGNATURES ? all : DKIM_VERIFY_SIGNATURES};
    v->ignored = all - v->n;
    if (v->n == 0)
        return true;
    if (!make_room(v, arena))
        return false;
    v->inside->header = header;
    if (!read_all(v, now, arena))
        return false;
    for (size_t i = 0; i < v->n; i++) {
        const struct dkim_signature *s = &v->inside->list[i].s;
        v->list[i] = (struct dkim_verdict){.domain = s->domain,
                                           .selector = s->selector,
                                           .identity = s->identity,
                                           .algorithm = s->algorithm,
                                           .signature = telling_part(v, i)};
    }
    dkim_bodies_begin(&v->inside->bodies);
    return true;
}

void dkim_verify_body(struct dkim_verify *v, struct slice piece) {
    if (v->inside)
        dkim_bodies_add(&v->inside->bodies, piece);
}

// --- end

// RFC 6376 6.1.3, step 3.
static void check_body(struct one *one, const struct dkim_bodies *bodies) {
    const struct dkim_wish *w = dkim_bodies_get(bodies, one->s.body, one->s.length, &one->left);
    if (!w->reached) {
        one->result = DKIM_FAIL;
        one->why = SLICE("it signs more body (l=) than there is");
    } else if (memcmp(w->hash, one->s.body_hash, sizeof w->hash) != 0) {
        one->result = DKIM_FAIL;
        one->why = SLICE("the body has changed since");
    }
}

static void check_signature(struct dkim_verify *v, size_t i, const struct dkim_selection *fields, struct arena *arena) {
    struct one *one = &v->inside->list[i];
    uint8_t digest[DIGEST_SHA256_SIZE];
    struct dkim_checked got;
    if (!dkim_signature_digest(&one->s, fields->fields, fields->n, digest)) {
        decide(one, DKIM_TEMPERROR, SLICE("out of memory"), arena);
        return;
    }
    dkim_publics_check(&v->inside->keys, one->key, &one->s, digest, arena, &got);
    v->list[i].bits = got.bits;
    v->list[i].testing = got.testing;
    one->result = got.result;
    one->why = got.why;
    if (got.result == DKIM_PASS && fields->more_from) { // RFC 6376 8.15
        decide(one, DKIM_POLICY, SLICE("there is a From field that is not signed"), arena);
    } else if (got.result == DKIM_PASS && one->left) {
        v->list[i].unsigned_n = one->left;
        one->why =
            arena_printf(arena, "the last %llu bytes of the body are not signed (l=)", (unsigned long long)one->left);
    }
}

static void check_open(struct dkim_verify *v, struct oracle *o, struct arena *arena) {
    struct dkim_selection fields[DKIM_VERIFY_SIGNATURES];
    size_t which[DKIM_VERIFY_SIGNATURES], n = 0;
    for (size_t i = 0; i < v->n; i++) {
        struct one *one = &v->inside->list[i];
        if (one->result != DKIM_NONE)
            continue;
        one->key = dkim_publics_want(&v->inside->keys, &one->s, arena);
        fields[n] = (struct dkim_selection){.names = one->s.names, .n = one->s.names_n, .own = one->s.whole.p};
        which[n++] = i;
    }
    bool ok = dkim_select(v->inside->header, fields, n, arena);
    if (ok)
        dkim_publics_ask(&v->inside->keys, o);
    for (size_t i = 0; i < n; i++)
        if (ok)
            check_signature(v, which[i], &fields[i], arena);
        else
            decide(&v->inside->list[which[i]], DKIM_TEMPERROR, SLICE("out of memory"), arena);
    dkim_publics_done(&v->inside->keys);
}

void dkim_verify_end(struct dkim_verify *v, struct oracle *o, struct arena *arena) {
    v->ended = true;
    if (!v->inside)
        return;
    dkim_bodies_end(&v->inside->bodies);
    for (size_t i = 0; i < v->n; i++)
        if (v->inside->list[i].result == DKIM_NONE)
            check_body(&v->inside->list[i], &v->inside->bodies);
    check_open(v, o, arena);
    for (size_t i = 0; i < v->n; i++) {
        v->list[i].result = v->inside->list[i].result;
        v->list[i].why = v->inside->list[i].why;
    }
}

void dkim_verify_done(struct dkim_verify *v) {
    if (v->inside)
        dkim_bodies_done(&v->inside->bodies);
    v->inside = NULL;
}

enum dkim_result dkim_verdict_relied(const struct dkim_verdict *s) { return s->unsigned_n ? DKIM_POLICY : s->result; }

static enum dkim_result better(enum dkim_result a, enum dkim_result b) {
    static const uint8_t rank[] = {[DKIM_NONE] = 0,      [DKIM_PERMERROR] = 1, [DKIM_NEUTRAL] = 2, [DKIM_FAIL] = 3,
                                   [DKIM_TEMPERROR] = 4, [DKIM_POLICY] = 5,    [DKIM_PASS] = 6};
    return rank[a] > rank[b] ? a : b;
}

enum dkim_result dkim_verify_best(const struct dkim_verify *v) {
    enum dkim_result best = DKIM_NONE;
    for (size_t i = 0; i < v->n; i++)
        best = better(v->list[i].result, best);
    return best;
}

enum dkim_result dkim_verify_best_relied(const struct dkim_verify *v) {
    enum dkim_result best = DKIM_NONE;
    for (size_t i = 0; i < v->n; i++)
        best = better(dkim_verdict_relied(&v->list[i]), best);
    return best;
}

// --- for people

bool dkim_signature_check(struct slice value, struct err *e) {
    ARENA_AUTO struct arena arena = {.max = 64 * 1024};
    struct dkim_signature s;
    struct slice whole = arena_printf(&arena, "DKIM-Signature:%.*s", SLICE_ARG(value));
    if (!whole.p)
        return err_set(e, ERR_PERMANENT, "it is too long");
    if (!dkim_signature_read(DKIM_SIGNATURE_MAIL, whole, &arena, &s, e))
        return false;
    return dkim_signature_accept(
        &s, (struct wall){s.has_t && s.made_s < INT64_MAX / MS_SECOND ? s.made_s * MS_SECOND : 0}, e);
}
