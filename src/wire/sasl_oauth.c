// sasl_oauth: the mechanisms that show a token: OAUTHBEARER (RFC 7628) and XOAUTH2, which Google made before it.
#include "wire/sasl_inside.h"

enum { TOKEN_SHOWN, TOKEN_REFUSED };

// RFC 7628 3.2.2: a refusal is told as a challenge; the client answers with a dummy, and has failed then.
static const char bearer_refusal[] = "{\"status\":\"invalid_token\",\"schemes\":\"bearer\"}";
static const char xoauth2_refusal[] = "{\"status\":\"401\",\"schemes\":\"bearer\"}";

static void refuse(struct sasl *s, struct sasl_out *out) {
    s->stage = TOKEN_REFUSED;
    sasl_put_challenge(out, slice_str(s->mechanism == SASL_XOAUTH2 ? xoauth2_refusal : bearer_refusal));
    out->user = s->user;
}

// RFC 6750 2.1: b68token. Nothing else goes on to those who look tokens up.
static bool is_token(struct slice t) {
    while (t.n && t.p[t.n - 1] == '=')
        t.n--;
    for (size_t i = 0; i < t.n; i++)
        if (!ascii_alnum(t.p[i]) && (!t.p[i] || !strchr("-._~+/", t.p[i])))
            return false;
    return t.n > 0;
}

static void ask_token(struct sasl *s, struct slice auth, struct sasl_out *out) {
    struct slice scheme, token;
    if (!slice_trim(auth).n) { // RFC 7628 3.1: asks what would be taken
        refuse(s, out);
        return;
    }
    slice_cut(auth, ' ', &scheme, &token);
    token = slice_trim(token);
    if (slice_ieq(scheme, SLICE("Bearer")) && is_token(token))
        sasl_put_ask(s, SASL_ASK_TOKEN, token, out);
    else
        sasl_put_bad(s, "not Bearer and a token", out);
}

// Pairs of key=value, each ended by ^A, and one more ^A after the last. Gives the value of `key`, empty where it isn't
// there; false when they are no such pairs, or `key` comes twice.
static bool find_pair(struct slice pairs, struct slice key, struct slice *value) {
    bool found = false;
    *value = SLICE_EMPTY;
    while (!slice_eq(pairs, SLICE("\1"))) {
        struct slice pair, name, v;
        if (!slice_cut(pairs, '\1', &pair, &pairs) || !slice_cut(pair, '=', &name, &v) || !name.n)
            return false;
        if (!slice_eq(name, key))
            continue;
        if (found)
            return false;
        found = true;
        *value = v;
    }
    return true;
}

// RFC 7628 3.1: gs2-header ^A *(key=value ^A) ^A. `host` and `port` are what the client thinks; TLS knows better.
static void bearer_first(struct sasl *s, struct slice response, struct sasl_out *out) {
    struct sasl_gs2 g;
    struct slice auth;
    if (!sasl_gs2_parse(&s->arena, response, &g) || !slice_starts(g.rest, SLICE("\1")) ||
        !find_pair(slice_from(g.rest, 1), SLICE("auth"), &auth))
        sasl_put_bad(s, "not as RFC 7628 3.1 has it", out);
    else if (g.flag == 'p')
        sasl_put_bad(s, "channel binding, which isn't for tokens", out);
    else if (!g.authzid.n || sasl_take_user(s, g.authzid, out))
        ask_token(s, auth, out);
}

// user=NAME ^A auth=Bearer TOKEN ^A ^A.
static void xoauth2_first(struct sasl *s, struct slice response, struct sasl_out *out) {
    struct slice user, auth;
    if (!find_pair(response, SLICE("user"), &user) || !find_pair(response, SLICE("auth"), &auth))
        sasl_put_bad(s, "not user=, ^A, auth=, ^A^A", out);
    else if (sasl_take_user(s, user, out))
        ask_token(s, auth, out);
}

static void bearer_step(struct sasl *s, struct slice response, struct sasl_out *out) {
    if (s->stage == TOKEN_REFUSED)
        sasl_put_fail(s, "refused", out);
    else
        bearer_first(s, response, out);
}

static void xoauth2_step(struct sasl *s, struct slice response, struct sasl_out *out) {
    if (s->stage == TOKEN_REFUSED)
        sasl_put_fail(s, "refused", out);
    else
        xoauth2_first(s, response, out);
}

// A token of somebody else than the client says is as bad as none.
static void token_answer(struct sasl *s, const struct sasl_answer *answer, struct sasl_out *out) {
    struct slice owner;
    if (!answer->ok || !sasl_user(&s->arena, answer->user, &owner) || (s->user.n && !slice_eq(owner, s->user))) {
        refuse(s, out);
        return;
    }
    s->user = owner;
    s->secret = arena_dup(&s->arena, answer->secret);
    sasl_put_ok(s, out);
}

const struct sasl_kind sasl_oauthbearer = {"OAUTHBEARER", "", bearer_step, token_answer};
const struct sasl_kind sasl_xoauth2 = {"XOAUTH2", "", xoauth2_step, token_answer};
