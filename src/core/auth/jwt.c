// jwt: tokens, and what endpoints say of them.
#include "core/auth/jwt_inside.h"

#include "base/base64.h"

enum { DEPTH_MAX = 16 };

// --- bytes

bool jwt_base64url(struct slice text, struct buf *out) {
    struct buf plain BUF_AUTO = {.max = JWT_KEYS_TEXT_MAX};
    char *p = text.n < JWT_KEYS_TEXT_MAX - 3 ? buf_reserve(&plain, text.n + 3) : NULL;
    size_t n = text.n;
    if (!p || n % 4 == 1)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text.p[i] == '+' || text.p[i] == '/' || text.p[i] == '=')
            return false;
        p[i] = text.p[i] == '-' ? '+' : text.p[i];
        if (p[i] == '_')
            p[i] = '/';
    }
    while (n % 4)
        p[n++] = '=';
    return base64_decode(out, slice_of(p, n));
}

// How deep brackets nest outside of texts; what is no JSON the parser says later.
static bool nests_little(struct slice text) {
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']') && depth)
            depth--;
        if (depth > DEPTH_MAX)
            return false;
    }
    return true;
}

json_t *jwt_json(struct slice text) {
    json_t *value = text.n && nests_little(text) ? json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

struct slice jwt_text(const json_t *object, const char *name) {
    const json_t *v = json_object_get(object, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_EMPTY;
}

// --- claims

static bool in_time(const json_t *claims, struct wall now, bool expires, struct err *e) {
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
    double present = (double)now.ms / MS_SECOND;
    if (exp ? !json_is_number(exp) : expires)
        return err_set(e, ERR_PERMANENT, "a token that says not when it ends (exp)");
    if (nbf && !json_is_number(nbf))
        return err_set(e, ERR_PERMANENT, "a token whose beginning (nbf) is no number");
    if (exp && json_number_value(exp) + JWT_LEEWAY_S <= present)
        return err_set(e, ERR_PERMANENT, "a token that has expired");
    if (nbf && json_number_value(nbf) - JWT_LEEWAY_S > present)
        return err_set(e, ERR_PERMANENT, "a token that isn't valid yet");
    return true;
}

static bool names_audience(const json_t *aud, struct slice wanted) {
    const json_t *one;
    size_t i;
    if (json_is_string(aud))
        return slice_eq(slice_of(json_string_value(aud), json_string_length(aud)), wanted);
    json_array_foreach(
        aud, i, one) if (json_is_string(one) &&
                         slice_eq(slice_of(json_string_value(one), json_string_length(one)), wanted)) return true;
    return false;
}

static bool for_us(const json_t *claims, const struct jwt_wanted *w, struct err *e) {
    if (w->issuer.n && !slice_eq(jwt_text(claims, "iss"), w->issuer))
        return err_set(e, ERR_PERMANENT, "a token of another issuer");
    if (w->audience.n && !names_audience(json_object_get(claims, "aud"), w->audience))
        return err_set(e, ERR_PERMANENT, "a token for another audience");
    return true;
}

// An address that nobody verified is what its owner typed.
static bool user_of(const json_t *claims, struct slice claim, struct arena *arena, struct slice *user, struct err *e) {
    char name[128];
    if (!claim.n || claim.n >= sizeof name || slice_find(claim, 0) < claim.n)
        return err_set(e, ERR_PERMANENT, "no claim can be called so");
    memcpy(name, claim.p, claim.n);
    name[claim.n] = 0;
    struct slice text = jwt_text(claims, name);
    if (!text.n)
        return err_set(e, ERR_PERMANENT, "a token without a text in claim \"%s\"", name);
    if (slice_eq(claim, SLICE("email")) && json_is_false(json_object_get(claims, "email_verified")))
        return err_set(e, ERR_PERMANENT, "a token whose address nobody has verified");
    struct slice copy = arena_dup(arena, text);
    if (!copy.n)
        return err_set(e, ERR_TEMPORARY, "too long a name");
    *user = copy;
    return true;
}

static bool claims_fit(const json_t *claims, bool expires, const struct jwt_wanted *w, struct arena *arena,
                       struct slice *user, struct err *e) {
    return in_time(claims, w->now, expires, e) && for_us(claims, w, e) && user_of(claims, w->claim, arena, user, e);
}

// --- tokens

struct token {
    struct buf header, claims, signature;
    struct slice signed_text; // header and claims as they came
};

static void token_done(struct token *t) {
    buf_done(&t->header);
    buf_done(&t->claims);
    buf_done(&t->signature);
}

// RFC 7515 3.1: three parts, no more (five would be an encrypted one).
static bool split(struct slice text, struct token *t) {
    struct slice header, claims, signature;
    if (text.n > JWT_TOKEN_MAX || !slice_cut(text, '.', &header, &claims) ||
        !slice_cut(claims, '.', &claims, &signature) || slice_find(signature, '.') < signature.n)
        return false;
    t->signed_text = slice_upto(text, header.n + 1 + claims.n);
    return jwt_base64url(header, &t->header) && jwt_base64url(claims, &t->claims) &&
           jwt_base64url(signature, &t->signature);
}

// RFC 7515 4.1.11: extensions that must be understood aren't.
static bool signature_fits(const struct jwt_keys *keys, const struct token *t, struct err *e) {
    json_t *header = jwt_json(buf_slice(&t->header));
    bool ok = header && !json_object_get(header, "crit")
                  ? jwt_keys_verify(keys, jwt_text(header, "alg"), jwt_text(header, "kid"), t->signed_text,
                                    buf_slice(&t->signature), e)
                  : err_set(e, ERR_PERMANENT, "a token whose header can't be understood");
    json_decref(header);
    return ok;
}

bool jwt_check(const struct jwt_keys *keys, struct slice token, const struct jwt_wanted *wanted, struct arena *arena,
               struct slice *user, struct err *e) {
    struct token t = {{.max = JWT_TOKEN_MAX}, {.max = JWT_TOKEN_MAX}, {.max = JWT_TOKEN_MAX}, SLICE_EMPTY};
    bool ok = split(token, &t) || err_set(e, ERR_PERMANENT, "not three parts in base64url");
    ok = ok && signature_fits(keys, &t, e);
    json_t *claims = ok ? jwt_json(buf_slice(&t.claims)) : NULL;
    if (ok)
        ok = claims ? claims_fit(claims, true, wanted, arena, user, e)
                    : err_set(e, ERR_PERMANENT, "a token whose claims are no JSON object");
    json_decref(claims);
    token_done(&t);
    return ok;
}

bool jwt_introspection(struct slice answer, const struct jwt_wanted *wanted, struct arena *arena, struct slice *user,
                       struct err *e) {
    json_t *claims = jwt_json(answer);
    const json_t *active = json_object_get(claims, "active");
    bool ok = json_is_boolean(active) ? json_is_true(active) || err_set(e, ERR_PERMANENT, "a token that isn't active")
                                      : err_set(e, ERR_TEMPORARY, "no answer as RFC 7662 has it");
    ok = ok && claims_fit(claims, false, wanted, arena, user, e);
    json_decref(claims);
    return ok;
}
