// sasl_scram: SCRAM (RFC 5802, 7677): the client shows that it knows a password without showing it, the server that it
// knows its keys, and with -PLUS both that there is nobody in the middle of their TLS.
//
// A user who doesn't exist, or has no keys, gets the whole exchange with keys that are made up from his name, the same
// ones each time: nobody learns from it which users there are.
#include "wire/sasl_inside.h"

#include "base/base64.h"
#include "base/num.h"

#include <assert.h>

enum { FIRST, FINAL, SIGNED };
enum { FAKE_SALT = 16, NONCE_MAX = 256, BARE_MAX = 3 * SASL_USER_MAX + NONCE_MAX + 1024 };

struct sasl_conversation {
    enum digest_kind kind;
    struct slice bound;        // what `c=` must decode to: gs2-header and channel binding
    struct slice first_bare;   // client-first-message-bare
    struct slice server_first; // server-first-message
    struct slice nonce;        // the client's, later with ours behind it
    const struct slice *names; // [keys_n], of s->keys
    bool fake;
};

static struct slice in_base64(struct arena *a, struct slice bytes) {
    struct buf text BUF_AUTO = {.max = SASL_STATE_MAX};
    return base64_encode(&text, bytes) ? arena_dup(a, buf_slice(&text)) : SLICE_EMPTY;
}

// --- client-first-message

static struct slice binding_of(const struct sasl *s, struct slice name) {
    if (slice_eq(name, SLICE("tls-exporter")))
        return s->facts.tls_exporter;
    return slice_eq(name, SLICE("tls-server-end-point")) ? s->facts.tls_end_point : SLICE_EMPTY;
}

// RFC 5802 6. `y` says "I can bind, but you didn't offer it": if we did, somebody took our offer away.
static bool flag_fits(struct sasl *s, const struct sasl_gs2 *g, struct sasl_out *out) {
    bool plus = s->mechanism == SASL_SCRAM_SHA_256_PLUS;
    if (plus != (g->flag == 'p'))
        sasl_put_bad(s, "the flag of channel binding isn't the mechanism's", out);
    else if (plus && !binding_of(s, g->binding).n)
        sasl_put_fail(s, "a channel binding that this connection doesn't have", out);
    else if (g->flag == 'y' && s->facts.offers_plus)
        sasl_put_fail(s, "channel binding was offered and lost on the way to the client", out);
    else
        return true;
    return false;
}

// `attribute` is the value of "x=value".
static bool take(struct slice *rest, const char *name, struct slice *value) {
    struct slice attribute;
    slice_cut(*rest, ',', &attribute, rest);
    if (!slice_starts(attribute, slice_str(name)))
        return false;
    *value = slice_from(attribute, strlen(name));
    return true;
}

static bool is_nonce(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
            return false;
    return s.n > 0 && s.n <= NONCE_MAX;
}

// `m=` in front, an extension that must be understood, isn't; what follows the nonce may be ignored.
static bool parse_bare(struct sasl *s, struct slice bare, struct slice *name, struct slice *nonce) {
    struct slice rest = bare, user;
    return bare.n <= BARE_MAX && take(&rest, "n=", &user) && user.n <= 3 * SASL_USER_MAX &&
           sasl_name_decode(&s->arena, user, name) && take(&rest, "r=", nonce) && is_nonce(*nonce);
}

static struct slice joined(struct arena *a, struct slice one, struct slice two) {
    char *p = arena_alloc(a, one.n + two.n + 1);
    if (!p)
        return SLICE_EMPTY;
    memcpy(p, one.p ? one.p : "", one.n);
    memcpy(p + one.n, two.p ? two.p : "", two.n);
    return slice_of(p, one.n + two.n);
}

// Keeps of the first message what the final one will be held to.
static bool converse(struct sasl *s, enum digest_kind kind, const struct sasl_gs2 *g, struct slice nonce) {
    struct slice binding = g->flag == 'p' ? binding_of(s, g->binding) : SLICE_EMPTY;
    struct sasl_conversation *c = s->more = ARENA_NEW(&s->arena, struct sasl_conversation);
    if (!c)
        return false;
    c->kind = kind;
    c->bound = joined(&s->arena, g->header, binding);
    c->first_bare = arena_dup(&s->arena, g->rest);
    c->nonce = joined(&s->arena, nonce, s->facts.nonce);
    return c->bound.n && c->first_bare.n && c->nonce.n;
}

static void first(struct sasl *s, enum digest_kind kind, struct slice response, struct sasl_out *out) {
    struct sasl_gs2 g;
    struct slice name, nonce;
    assert(s->facts.nonce.n >= SASL_NONCE_MIN); // one that can be guessed would let proofs be played again
    if (!sasl_gs2_parse(&s->arena, response, &g) || !parse_bare(s, g.rest, &name, &nonce)) {
        sasl_put_bad(s, "not as RFC 5802 7 has a client's first message", out);
        return;
    }
    if (!flag_fits(s, &g, out) || !sasl_take_user(s, name, out) || !sasl_take_authzid(s, g.authzid, out))
        return;
    if (!converse(s, kind, &g, nonce)) {
        sasl_put_bad(s, "too long", out);
        return;
    }
    sasl_put_ask(s, SASL_ASK_SCRAM, SLICE_EMPTY, out);
    out->ask.digest = kind;
}

// --- the keys, and server-first-message

static void make_up(const struct sasl *s, char what, uint8_t out[SCRAM_KEY_MAX]) {
    uint8_t key[DIGEST_SHA256_SIZE];
    char salted = what;
    digest_hmac(DIGEST_SHA256, s->facts.fake_secret, slice_of(&salted, 1), key);
    digest_hmac(DIGEST_SHA256, slice_of(key, sizeof key), s->user, out);
}

static bool copy_keys(struct sasl *s, const struct sasl_scram *scram) {
    size_t n = scram->n < SASL_SECRETS_MAX ? scram->n : SASL_SECRETS_MAX;
    struct slice *names = arena_alloc(&s->arena, n * sizeof *names);
    s->keys = arena_alloc(&s->arena, n * sizeof *s->keys);
    if (!names || !s->keys) {
        s->keys = NULL;
        return false;
    }
    s->keys_n = n;
    memcpy(s->keys, scram->keys, n * sizeof *s->keys);
    for (size_t i = 0; i < n; i++)
        names[i] = scram->names ? arena_dup(&s->arena, scram->names[i]) : SLICE_EMPTY;
    s->more->names = names;
    return true;
}

static void challenge(struct sasl *s, const struct sasl_scram *scram, struct sasl_out *out) {
    struct sasl_conversation *c = s->more;
    struct slice salt = in_base64(&s->arena, scram->salt);
    if (!copy_keys(s, scram)) {
        sasl_put_fail(s, "too many keys", out);
        return;
    }
    c->server_first = arena_printf(&s->arena, "r=%.*s,s=%.*s,i=%u", SLICE_ARG(c->nonce), SLICE_ARG(salt),
                                   (unsigned)scram->iterations);
    if (!c->server_first.n) {
        sasl_put_fail(s, "too long", out);
        return;
    }
    s->stage = FINAL;
    sasl_put_challenge(out, c->server_first);
    out->user = s->user;
}

static void challenge_nobody(struct sasl *s, struct sasl_out *out) {
    struct scram_keys keys;
    uint8_t salt[DIGEST_SHA256_SIZE];
    size_t salt_n = s->facts.fake_salt_n ? num_min(s->facts.fake_salt_n, sizeof salt) : FAKE_SALT;
    make_up(s, 's', salt);
    make_up(s, 'k', keys.stored);
    make_up(s, 'v', keys.server);
    s->more->fake = true;
    uint32_t iterations = s->facts.fake_iterations ? s->facts.fake_iterations : SCRAM_ITERATIONS_MIN;
    challenge(s, &(struct sasl_scram){iterations, slice_of(salt, salt_n), &keys, NULL, 1}, out);
}

static void answer(struct sasl *s, const struct sasl_answer *a, struct sasl_out *out) {
    if (a->scram && a->scram->n)
        challenge(s, a->scram, out);
    else
        challenge_nobody(s, out);
}

// --- client-final-message

struct final {
    struct slice bound, nonce, proof; // bound is in base64, proof isn't
    struct slice without_proof;
};

static bool parse_final(struct arena *a, struct slice message, struct final *out) {
    struct slice rest = message, bound, nonce;
    struct buf proof BUF_AUTO = {.max = SCRAM_KEY_MAX};
    size_t comma = slice_rfind(message, ',');
    struct slice last = slice_from(message, comma + 1);
    if (message.n > BARE_MAX || !take(&rest, "c=", &bound) || !take(&rest, "r=", &nonce) ||
        !slice_starts(last, SLICE("p=")) || !base64_decode(&proof, slice_from(last, 2)))
        return false;
    *out = (struct final){bound, nonce, arena_dup(a, buf_slice(&proof)), slice_upto(message, comma)};
    return true;
}

static void sign(struct sasl *s, size_t which, struct slice auth_message, struct sasl_out *out) {
    uint8_t signature[SCRAM_KEY_MAX];
    enum digest_kind kind = s->more->kind;
    scram_server_signature(kind, &s->keys[which], auth_message, signature);
    s->secret = s->more->names[which];
    s->stage = SIGNED;
    struct slice text = in_base64(&s->arena, slice_of(signature, digest_size(kind)));
    sasl_put_challenge(out, arena_printf(&s->arena, "v=%.*s", SLICE_ARG(text)));
    out->user = s->user;
}

// Which secret's keys the proof was made by; s->keys_n: none's.
static size_t find_keys(const struct sasl *s, struct slice auth_message, struct slice proof) {
    size_t found = s->keys_n;
    for (size_t i = 0; i < s->keys_n; i++)
        if (scram_proof_fits(s->more->kind, &s->keys[i], auth_message, proof) && found == s->keys_n)
            found = i;
    return s->more->fake ? s->keys_n : found;
}

static void final(struct sasl *s, struct slice response, struct sasl_out *out) {
    struct sasl_conversation *c = s->more;
    struct final f;
    struct buf auth_message BUF_AUTO = {.max = 4 * BARE_MAX};
    if (!parse_final(&s->arena, response, &f)) {
        sasl_put_bad(s, "not as RFC 5802 7 has a client's final message", out);
        return;
    }
    if (!digest_equal(f.bound, in_base64(&s->arena, c->bound)) || !digest_equal(f.nonce, c->nonce)) {
        sasl_put_fail(s, "another channel or nonce", out);
        return;
    }
    buf_add(&auth_message, c->first_bare);
    buf_add_char(&auth_message, ',');
    buf_add(&auth_message, c->server_first);
    buf_add_char(&auth_message, ',');
    buf_add(&auth_message, f.without_proof);
    size_t found = find_keys(s, buf_slice(&auth_message), f.proof);
    if (found < s->keys_n && !auth_message.failed)
        sign(s, found, buf_slice(&auth_message), out);
    else
        sasl_put_fail(s, c->fake ? "no such user, or no keys of its" : "wrong proof", out);
}

// --- the mechanisms

static void step(struct sasl *s, enum digest_kind kind, struct slice response, struct sasl_out *out) {
    if (s->stage == FIRST)
        first(s, kind, response, out);
    else if (s->stage == FINAL)
        final(s, response, out);
    else if (response.n) // RFC 5802 5: nothing is left to say
        sasl_put_bad(s, "more words after the server's signature", out);
    else
        sasl_put_ok(s, out);
}

static void sha_1_step(struct sasl *s, struct slice response, struct sasl_out *out) {
    step(s, DIGEST_SHA1, response, out);
}

static void sha_256_step(struct sasl *s, struct slice response, struct sasl_out *out) {
    step(s, DIGEST_SHA256, response, out);
}

const struct sasl_kind sasl_scram_sha_1 = {"SCRAM-SHA-1", "", sha_1_step, answer};
const struct sasl_kind sasl_scram_sha_256 = {"SCRAM-SHA-256", "", sha_256_step, answer};
const struct sasl_kind sasl_scram_sha_256_plus = {"SCRAM-SHA-256-PLUS", "", sha_256_step, answer};
