// auth_dovecot: Dovecot's users. Whatever the client speaks, Dovecot is given PLAIN, or the token as the client sent
// it.
#include "svc/auth/auth_backend.h"
#include "svc/auth/auth_dovecot_link.h"

#include "base/mem.h"

#include <stdlib.h>

enum { RESPONSE_MAX = SASL_RESPONSE_MAX + SASL_USER_MAX + 64 };

struct auth_dovecot {
    struct auth_backend base;
    struct auth_dovecot_link *link;
};

static struct auth_dovecot *of(struct auth_backend *b) { return LIST_ENTRY(b, struct auth_dovecot, base); }

// Dovecot doesn't tell an unknown user from a wrong password: others may still know him.
static FIBER_FN enum auth_verdict ask(struct auth_dovecot *d, const struct auth_question *q, struct slice mechanism,
                                      struct buf *response, struct arena *arena, struct auth_found *out,
                                      struct err *e) {
    struct dovecot_auth_request r = {.mechanism = mechanism,
                                     .session = q->session,
                                     .client = q->client,
                                     .local = q->local,
                                     .response = buf_slice(response)};
    enum auth_dovecot_said said;
    struct slice user;
    bool ok = !response->failed ? auth_dovecot_ask(d->link, &r, arena, &said, &user, e)
                                : err_set(e, ERR_TEMPORARY, "too long for Dovecot");
    if (response->p)
        explicit_bzero(response->p, response->cap);
    buf_done(response);
    if (!ok)
        return AUTH_TROUBLE;
    switch (said) {
    case AUTH_DOVECOT_OK:
        out->user = user;
        return AUTH_OK;
    case AUTH_DOVECOT_DISABLED:
        err_set(e, ERR_PERMANENT, "Dovecot has disabled the user");
        return AUTH_WRONG;
    case AUTH_DOVECOT_FAIL:
        err_set(e, ERR_PERMANENT, "refused by Dovecot");
        return AUTH_UNKNOWN;
    case AUTH_DOVECOT_CANT:
        break;
    }
    err_set(e, ERR_PERMANENT, "Dovecot has no %.*s", SLICE_ARG(mechanism));
    return AUTH_UNKNOWN;
}

static enum auth_verdict password(struct auth_backend *b, const struct auth_question *q, struct arena *arena,
                                  struct auth_found *out, struct err *e) {
    struct buf response = {.max = RESPONSE_MAX};
    buf_add_char(&response, '\0');
    buf_add(&response, q->user);
    buf_add_char(&response, '\0');
    buf_add(&response, q->secret);
    return ask(of(b), q, SLICE("PLAIN"), &response, arena, out, e);
}

// RFC 7628 3.1, where "," and "=" of a user are written as =2C and =3D (RFC 5801).
static void add_user(struct buf *to, struct slice user) {
    for (size_t i = 0; i < user.n; i++)
        if (user.p[i] == ',')
            buf_add_str(to, "=2C");
        else if (user.p[i] == '=')
            buf_add_str(to, "=3D");
        else
            buf_add_char(to, user.p[i]);
}

static enum auth_verdict token(struct auth_backend *b, const struct auth_question *q, struct arena *arena,
                               struct auth_found *out, struct err *e) {
    struct buf response = {.max = RESPONSE_MAX};
    bool bearer = q->mechanism == SASL_OAUTHBEARER;
    buf_add_str(&response, bearer ? "n," : "user=");
    if (bearer && q->user.n)
        buf_add_str(&response, "a=");
    if (bearer)
        add_user(&response, q->user);
    else
        buf_add(&response, q->user);
    buf_add_str(&response, bearer ? ",\1auth=Bearer " : "\1auth=Bearer ");
    buf_add(&response, q->secret);
    buf_add_str(&response, "\1\1");
    return ask(of(b), q, bearer ? SLICE("OAUTHBEARER") : SLICE("XOAUTH2"), &response, arena, out, e);
}

static void dovecot_free(struct auth_backend *b) {
    struct auth_dovecot *d = of(b);
    auth_dovecot_link_free(d->link);
    free(d);
}

static const struct auth_backend_ops ops = {.password = password, .token = token, .free = dovecot_free};

struct auth_backend *auth_dovecot_new(struct auth_means *m, const struct config_auth *c) {
    struct auth_dovecot *d = MEM_NEW(struct auth_dovecot);
    *d = (struct auth_dovecot){.base = {.ops = &ops}, .link = auth_dovecot_link_new(m, c->path)};
    return &d->base;
}
