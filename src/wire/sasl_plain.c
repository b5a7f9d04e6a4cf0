// sasl_plain: the mechanisms that show a password as it is, or none at all: PLAIN, LOGIN, EXTERNAL.
#include "wire/sasl_inside.h"

static void ask_password(struct sasl *s, struct slice password, struct sasl_out *out) {
    if (!password.n)
        sasl_put_bad(s, "an empty password", out);
    else if (password.n > SASL_PASSWORD_MAX)
        sasl_put_bad(s, "too long a password", out);
    else if (slice_find(password, 0) < password.n)
        sasl_put_bad(s, "a password with a NUL", out);
    else
        sasl_put_ask(s, SASL_ASK_PASSWORD, password, out);
}

// RFC 4616 2: [authzid] NUL authcid NUL passwd.
static void plain_step(struct sasl *s, struct slice response, struct sasl_out *out) {
    struct slice authzid, user, password;
    if (!slice_cut(response, 0, &authzid, &password) || !slice_cut(password, 0, &user, &password)) {
        sasl_put_bad(s, "not authzid NUL user NUL password", out);
        return;
    }
    if (sasl_take_user(s, user, out) && sasl_take_authzid(s, authzid, out))
        ask_password(s, password, out);
}

enum { LOGIN_USER, LOGIN_PASSWORD };

static void login_step(struct sasl *s, struct slice response, struct sasl_out *out) {
    if (s->stage == LOGIN_PASSWORD) {
        ask_password(s, response, out);
        return;
    }
    if (!sasl_take_user(s, response, out))
        return;
    s->stage = LOGIN_PASSWORD;
    sasl_put_challenge(out, SLICE("Password:"));
}

// RFC 4422 A: the response is an authorization identity or empty. Who it is, TLS has shown.
static void external_step(struct sasl *s, struct slice response, struct sasl_out *out) {
    if (!s->facts.client_subject.n)
        sasl_put_fail(s, "no certificate that names a user", out);
    else if (sasl_take_user(s, s->facts.client_subject, out) && sasl_take_authzid(s, response, out))
        sasl_put_ask(s, SASL_ASK_CERTIFICATE, SLICE_EMPTY, out);
}

const struct sasl_kind sasl_plain = {"PLAIN", "", plain_step, sasl_answer_yes_or_no};
const struct sasl_kind sasl_login = {"LOGIN", "Username:", login_step, sasl_answer_yes_or_no};
const struct sasl_kind sasl_external = {"EXTERNAL", "", external_step, sasl_answer_yes_or_no};
