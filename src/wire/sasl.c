// sasl: the frame around the mechanisms; names; users.
#include "wire/sasl_inside.h"

#include "base/printable.h"

#include <assert.h>

static const struct sasl_kind *const kinds[SASL_MECHANISMS] = {
    [SASL_PLAIN] = &sasl_plain,
    [SASL_LOGIN] = &sasl_login,
    [SASL_SCRAM_SHA_1] = &sasl_scram_sha_1,
    [SASL_SCRAM_SHA_256] = &sasl_scram_sha_256,
    [SASL_SCRAM_SHA_256_PLUS] = &sasl_scram_sha_256_plus,
    [SASL_EXTERNAL] = &sasl_external,
    [SASL_OAUTHBEARER] = &sasl_oauthbearer,
    [SASL_XOAUTH2] = &sasl_xoauth2,
};

const char *sasl_name(enum sasl_mechanism m) { return kinds[m]->name; }

bool sasl_find(struct slice name, enum sasl_mechanism *out) {
    for (size_t i = 0; i < SASL_MECHANISMS; i++)
        if (slice_ieq(name, slice_str(kinds[i]->name))) {
            *out = (enum sasl_mechanism)i;
            return true;
        }
    return false;
}

// What the caller has to do next; s->waits holds it to that.
static void settle(struct sasl *s, struct sasl_out *out) { s->waits = out->result; }

static void step(struct sasl *s, struct slice response, struct sasl_out *out) {
    *out = (struct sasl_out){.result = SASL_BAD};
    if (response.n > SASL_RESPONSE_MAX)
        sasl_put_bad(s, "too long a response", out);
    else
        kinds[s->mechanism]->step(s, response, out);
    settle(s, out);
}

static void keep_facts(struct sasl *s, const struct sasl_facts *facts) {
    s->facts = *facts;
    s->facts.tls_exporter = arena_dup(&s->arena, facts->tls_exporter);
    s->facts.tls_end_point = arena_dup(&s->arena, facts->tls_end_point);
    s->facts.client_subject = arena_dup(&s->arena, facts->client_subject);
    s->facts.nonce = arena_dup(&s->arena, facts->nonce);
    s->facts.fake_secret = arena_dup(&s->arena, facts->fake_secret);
}

void sasl_begin(struct sasl *s, enum sasl_mechanism m, const struct sasl_facts *facts, const struct slice *initial,
                struct sasl_out *out) {
    *s = (struct sasl){.mechanism = m, .arena = {.max = SASL_STATE_MAX}};
    keep_facts(s, facts);
    if (initial) {
        step(s, *initial, out);
        return;
    }
    *out = (struct sasl_out){.result = SASL_BAD};
    sasl_put_challenge(out, slice_str(kinds[m]->prompt));
    settle(s, out);
}

void sasl_step(struct sasl *s, struct slice response, struct sasl_out *out) {
    assert(s->waits == SASL_CHALLENGE);
    step(s, response, out);
}

void sasl_answer(struct sasl *s, const struct sasl_answer *answer, struct sasl_out *out) {
    assert(s->waits == SASL_ASK);
    *out = (struct sasl_out){.result = SASL_BAD};
    kinds[s->mechanism]->answer(s, answer, out);
    settle(s, out);
}

void sasl_done(struct sasl *s) {
    if (s->keys)
        explicit_bzero(s->keys, s->keys_n * sizeof *s->keys);
    arena_done(&s->arena);
    *s = (struct sasl){.waits = SASL_FAIL};
}

// --- what a mechanism says

void sasl_put_challenge(struct sasl_out *out, struct slice challenge) {
    out->result = SASL_CHALLENGE;
    out->challenge = challenge;
}

void sasl_put_ask(struct sasl *s, enum sasl_ask_kind kind, struct slice secret, struct sasl_out *out) {
    out->result = SASL_ASK;
    out->user = s->user;
    out->ask = (struct sasl_ask){.kind = kind, .user = s->user, .secret = secret};
}

void sasl_put_ok(struct sasl *s, struct sasl_out *out) {
    out->result = SASL_OK;
    out->user = s->user;
    out->secret = s->secret;
}

static void put_no(struct sasl *s, enum sasl_result result, const char *why, struct sasl_out *out) {
    out->result = result;
    out->user = s->user;
    out->why = why;
}

void sasl_put_fail(struct sasl *s, const char *why, struct sasl_out *out) { put_no(s, SASL_FAIL, why, out); }
void sasl_put_bad(struct sasl *s, const char *why, struct sasl_out *out) { put_no(s, SASL_BAD, why, out); }

// --- users

static bool user_valid(struct slice name) {
    uint32_t code;
    if (name.n == 0 || name.n > SASL_USER_MAX)
        return false;
    for (size_t n; name.n; name = slice_from(name, n))
        if (!(n = printable_decode(name, &code)) || !printable_safe(code))
            return false;
    return true;
}

bool sasl_user(struct arena *a, struct slice name, struct slice *out) {
    char *p = user_valid(name) ? arena_alloc(a, name.n) : NULL;
    if (!p)
        return false;
    for (size_t i = 0; i < name.n; i++)
        p[i] = ascii_lower(name.p[i]);
    *out = slice_of(p, name.n);
    return true;
}

bool sasl_take_user(struct sasl *s, struct slice name, struct sasl_out *out) {
    if (sasl_user(&s->arena, name, &s->user))
        return true;
    sasl_put_bad(s, "no name that a user can have", out);
    return false;
}

bool sasl_take_authzid(struct sasl *s, struct slice authzid, struct sasl_out *out) {
    struct slice other;
    if (!authzid.n)
        return true;
    if (!sasl_user(&s->arena, authzid, &other))
        sasl_put_bad(s, "an authorization identity that no user can have", out);
    else if (!slice_eq(other, s->user))
        sasl_put_fail(s, "wants to act for somebody else", out);
    else
        return true;
    return false;
}

void sasl_answer_yes_or_no(struct sasl *s, const struct sasl_answer *answer, struct sasl_out *out) {
    if (!answer->ok) {
        sasl_put_fail(s, "refused", out);
        return;
    }
    if (answer->user.n && !sasl_take_user(s, answer->user, out))
        return;
    s->secret = arena_dup(&s->arena, answer->secret);
    sasl_put_ok(s, out);
}

// --- GS2

bool sasl_name_decode(struct arena *a, struct slice name, struct slice *out) {
    char *p = arena_alloc(a, name.n + 1);
    size_t n = 0;
    if (!p)
        return false;
    while (name.n) {
        char c = name.p[0];
        size_t used = 1;
        if (c == ',' || c == 0)
            return false;
        if (c == '=') {
            bool comma = slice_starts(name, SLICE("=2C")), equals = slice_starts(name, SLICE("=3D"));
            if (!comma && !equals)
                return false;
            c = comma ? ',' : '=';
            used = 3;
        }
        p[n++] = c;
        name = slice_from(name, used);
    }
    *out = slice_of(p, n);
    return true;
}

bool sasl_gs2_parse(struct arena *a, struct slice message, struct sasl_gs2 *out) {
    struct sasl_gs2 g = {0};
    struct slice flag, authzid;
    if (!slice_cut(message, ',', &flag, &g.rest) || !slice_cut(g.rest, ',', &authzid, &g.rest))
        return false;
    if (flag.n == 1 && (flag.p[0] == 'n' || flag.p[0] == 'y'))
        g.flag = flag.p[0];
    else if (slice_starts(flag, SLICE("p=")) && flag.n > 2)
        g.flag = 'p';
    else
        return false;
    if (authzid.n && (!slice_starts(authzid, SLICE("a=")) || authzid.n > 2 + 3 * SASL_USER_MAX || authzid.n == 2 ||
                      !sasl_name_decode(a, slice_from(authzid, 2), &g.authzid)))
        return false;
    g.binding = slice_from(flag, 2);
    g.header = slice_upto(message, message.n - g.rest.n);
    *out = g;
    return true;
}
