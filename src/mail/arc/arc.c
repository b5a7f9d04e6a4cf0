// arc: RFC 8617 5.2 step by step. The newest message signature and every seal must hold; older message signatures only
// tell since when the message is as it is.
#include "mail/arc/arc.h"

#include "mail/arc/arc_sets.h"
#include "mail/dkim/dkim_bodies.h"
#include "mail/dkim/dkim_public.h"
#include "mail/dkim/dkim_select.h"
#include "mail/header/header.h"

enum { LOOK_BACK = 8, KEYS_MAX = ARC_SETS_MAX + LOOK_BACK, WORDS_MAX = 256 * 1024 }; // message signatures; keys; bytes

struct arc_verify_inside {
    struct slice header;
    struct arc_sets sets;
    struct dkim_bodies bodies;
    struct dkim_publics keys;
    struct slice *sealed; // room for what the longest seal is over
    struct dkim_selection chosen[LOOK_BACK];
    size_t message_keys[LOOK_BACK], seal_keys[ARC_SETS_MAX];
    size_t looks; // message signatures that are looked at, from the newest on
};

const char *arc_result_name(enum arc_result r) {
    static const char *const names[] = {"none", "pass", "fail"};
    return names[r];
}

static void fail(struct arc_verify *v, struct slice why, struct arena *arena) {
    v->verdict.result = ARC_FAIL;
    v->verdict.why = arena_dup(arena, why);
}

static const struct dkim_signature *message_of(const struct arc_verify_inside *in, size_t back) {
    return &in->sets.list[in->sets.n - 1 - back].message;
}

// --- begin

static bool make_room(struct arc_verify_inside *in, struct arena *arena) {
    in->looks = in->sets.n < LOOK_BACK ? in->sets.n : LOOK_BACK;
    in->sealed = arena_alloc(arena, 3 * in->sets.n * sizeof *in->sealed);
    return in->sealed && dkim_bodies_init(&in->bodies, in->looks, arena) &&
           dkim_publics_init(&in->keys, KEYS_MAX, arena);
}

static bool name_sealers(struct arc_verify *v, struct arena *arena) {
    const struct arc_sets *sets = &v->inside->sets;
    const struct dkim_signature *newest = &sets->list[sets->n - 1].seal;
    v->verdict.domain = newest->domain;
    v->verdict.selector = newest->selector;
    v->verdict.sealers = arena_alloc(arena, sets->n * sizeof *v->verdict.sealers);
    for (size_t i = 0; v->verdict.sealers && i < sets->n; i++)
        v->verdict.sealers[v->verdict.sealers_n++] = sets->list[i].seal.domain;
    return v->verdict.sealers != NULL;
}

bool arc_verify_begin(struct arc_verify *v, struct slice header, struct wall now, struct arena *arena) {
    struct err e;
    bool broken;
    *v = (struct arc_verify){.inside = ARENA_NEW(arena, struct arc_verify_inside)};
    if (!v->inside || !arc_sets_read(header, now, arena, &v->inside->sets, &broken, &e))
        return false;
    v->verdict.instance = v->inside->sets.highest;
    if (broken)
        fail(v, slice_str(e.text), arena);
    if (v->inside->sets.n == 0)
        return true;
    v->inside->header = header;
    if (!name_sealers(v, arena) || !make_room(v->inside, arena))
        return false;
    if (broken)
        return true;
    for (size_t back = 0; back < v->inside->looks; back++)
        dkim_bodies_want(&v->inside->bodies, message_of(v->inside, back)->body, message_of(v->inside, back)->length);
    dkim_bodies_begin(&v->inside->bodies);
    return true;
}

void arc_verify_body(struct arc_verify *v, struct slice piece) {
    if (v->inside && v->verdict.result == ARC_NONE && v->inside->sets.n)
        dkim_bodies_add(&v->inside->bodies, piece);
}

// --- end

static bool body_holds(const struct arc_verify_inside *in, const struct dkim_signature *s) {
    uint64_t left;
    const struct dkim_wish *w = dkim_bodies_get(&in->bodies, s->body, s->length, &left);
    return w && w->reached && left == 0 && memcmp(w->hash, s->body_hash, sizeof w->hash) == 0;
}

static bool is_lost(const struct arc_verify_inside *in, size_t back) {
    return in->sets.list[in->sets.n - 1 - back].lost.n || !body_holds(in, message_of(in, back));
}

// Older message signatures count up to the first that is lost, or whose body doesn't fit.
static bool ask(struct arc_verify_inside *in, struct oracle *o, struct arena *arena) {
    size_t look = 1;
    while (look < in->looks && !is_lost(in, look))
        look++;
    in->looks = look;
    for (size_t back = 0; back < in->looks; back++) {
        const struct dkim_signature *s = message_of(in, back);
        in->chosen[back] = (struct dkim_selection){.names = s->names, .n = s->names_n, .own = s->whole.p};
        in->message_keys[back] = dkim_publics_want(&in->keys, s, arena);
    }
    for (size_t i = 0; i < in->sets.n; i++)
        in->seal_keys[i] = dkim_publics_want(&in->keys, &in->sets.list[i].seal, arena);
    if (!dkim_select(in->header, in->chosen, in->looks, arena))
        return false;
    dkim_publics_ask(&in->keys, o);
    return true;
}

static void check_message(const struct arc_verify_inside *in, size_t back, struct arena *arena,
                          struct dkim_checked *out) {
    const struct dkim_signature *s = message_of(in, back);
    uint8_t digest[DIGEST_SHA256_SIZE];
    *out = (struct dkim_checked){.result = DKIM_TEMPERROR, .why = SLICE("out of memory")};
    if (dkim_signature_digest(s, in->chosen[back].fields, in->chosen[back].n, digest))
        dkim_publics_check(&in->keys, in->message_keys[back], s, digest, arena, out);
    if (out->result == DKIM_PASS && in->chosen[back].more_from) { // RFC 6376 8.15
        out->result = DKIM_POLICY;
        out->why = SLICE("there is a From field that is not signed");
    }
}

static void check_seal(const struct arc_verify_inside *in, size_t n, struct arena *arena, struct dkim_checked *out) {
    const struct dkim_signature *s = &in->sets.list[n - 1].seal;
    uint8_t digest[DIGEST_SHA256_SIZE];
    size_t fields = arc_sets_sealed(&in->sets, 1, n, in->sealed);
    *out = (struct dkim_checked){.result = DKIM_TEMPERROR, .why = SLICE("out of memory")};
    if (dkim_signature_digest(s, in->sealed, fields, digest))
        dkim_publics_check(&in->keys, in->seal_keys[n - 1], s, digest, arena, out);
}

static bool accept(struct arc_verify *v, const struct dkim_checked *got, const char *what, size_t n,
                   struct arena *arena) {
    if (got->result == DKIM_PASS)
        return true;
    v->verdict.result = ARC_FAIL;
    v->verdict.temporary = got->result == DKIM_TEMPERROR;
    v->verdict.why = arena_printf(arena, "the %s of set %zu: %.*s", what, n, SLICE_ARG(got->why));
    return false;
}

// Step 5: 0 when all hold that can be.
static unsigned find_oldest(const struct arc_verify_inside *in, struct arena *arena) {
    struct dkim_checked got;
    size_t back = 1;
    while (back < in->looks && (check_message(in, back, arena, &got), got.result == DKIM_PASS))
        back++;
    return back == in->sets.n ? 0 : (unsigned)(in->sets.n - back + 1);
}

static struct slice unfold(struct slice words, struct arena *arena) {
    BUF_AUTO struct buf text = {.max = WORDS_MAX};
    return header_unfold(&text, words) ? arena_dup(arena, buf_slice(&text)) : SLICE_EMPTY;
}

static void check_chain(struct arc_verify *v, struct oracle *o, struct arena *arena) {
    struct arc_verify_inside *in = v->inside;
    size_t n = in->sets.n;
    struct dkim_checked got;
    if (!body_holds(in, message_of(in, 0))) {
        fail(v, SLICE("the body has changed since the newest set"), arena);
        return;
    }
    if (!ask(in, o, arena)) {
        fail(v, SLICE("out of memory"), arena);
        v->verdict.temporary = true;
        return;
    }
    check_message(in, 0, arena, &got);
    if (!accept(v, &got, "message signature", n, arena))
        return;
    for (size_t i = n; i > 0; i--) {
        check_seal(in, i, arena, &got);
        if (!accept(v, &got, "seal", i, arena))
            return;
    }
    v->verdict.result = ARC_PASS;
    v->verdict.oldest_pass = find_oldest(in, arena);
    v->verdict.results = unfold(in->sets.list[n - 1].words, arena);
    v->verdict.first_results = unfold(in->sets.list[0].words, arena);
}

void arc_verify_end(struct arc_verify *v, struct oracle *o, struct arena *arena) {
    v->ended = true;
    if (!v->inside || v->inside->sets.n == 0 || v->verdict.result == ARC_FAIL)
        return;
    dkim_bodies_end(&v->inside->bodies);
    check_chain(v, o, arena);
    dkim_publics_done(&v->inside->keys);
}

void arc_verify_done(struct arc_verify *v) {
    if (v->inside)
        dkim_bodies_done(&v->inside->bodies);
    v->inside = NULL;
}
