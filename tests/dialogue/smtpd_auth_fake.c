// smtpd_auth_fake: a few mechanisms, as little of them as dialogues need.
#include "smtpd_auth_fake.h"

#include "base/mem.h"
#include "rt/fiber/loop.h"

#include <assert.h>
#include <stdlib.h>

struct smtpd_asked {
    struct slice mechanism; // a literal
    int step;
    struct buf user; // LOGIN
    struct slice subject;
    char subject_text[MESSAGE_USER_MAX];
};

static const struct { const char *user, *secret; } users[] = {{"bob", "secret"}, {"alice@example.org", "wonder"}};

static void end(struct fake_auth *a, struct smtpd_asked **asked) {
    buf_done(&(*asked)->user);
    free(*asked);
    *asked = NULL;
    a->open--;
}

static enum message_auth_result check(struct slice user, struct slice secret) {
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        if (slice_ieq(user, slice_str(users[i].user)) && slice_eq(secret, slice_str(users[i].secret)))
            return MESSAGE_AUTH_OK;
    return MESSAGE_AUTH_FAILED;
}

static void challenge(struct message_auth_reply *out, const char *text) {
    *out =
        (struct message_auth_reply){.result = MESSAGE_AUTH_CHALLENGE, .conversation = 7, .challenge = slice_str(text)};
}

static void decide(struct message_auth_reply *out, struct buf *space, enum message_auth_result result,
                   struct slice user) {
    buf_reset(space);
    for (size_t i = 0; i < user.n; i++)
        buf_add_char(space, ascii_lower(user.p[i]));
    *out = (struct message_auth_reply){.result = result, .user = buf_slice(space), .why = SLICE("as the fake sees it")};
}

static void plain(struct slice response, struct buf *space, struct message_auth_reply *out) {
    struct slice authzid, user, secret;
    if (slice_cut(response, '\0', &authzid, &user) && slice_cut(user, '\0', &user, &secret))
        decide(out, space, check(user, secret), user);
    else
        decide(out, space, MESSAGE_AUTH_BAD, SLICE_EMPTY);
}

static void login(struct smtpd_asked *x, struct slice response, struct buf *space, struct message_auth_reply *out) {
    if (x->step == 1) {
        buf_add(&x->user, response);
        challenge(out, "Password:");
    } else {
        decide(out, space, check(buf_slice(&x->user), response), buf_slice(&x->user));
    }
}

// "n=bob", a challenge, "p=secret", a challenge, "".
static void game(struct smtpd_asked *x, struct slice response, struct buf *space, struct message_auth_reply *out) {
    struct slice name, value;
    bool pair = slice_cut(response, '=', &name, &value);
    if (x->step == 1 && pair && slice_eq(name, SLICE("n"))) {
        buf_add(&x->user, value);
        challenge(out, "r=nonce,s=salt");
    } else if (x->step == 2 && pair && slice_eq(name, SLICE("p"))) {
        if (check(buf_slice(&x->user), value) == MESSAGE_AUTH_OK)
            challenge(out, "v=proof");
        else
            decide(out, space, MESSAGE_AUTH_FAILED, buf_slice(&x->user));
    } else if (x->step == 3 && response.n == 0) {
        decide(out, space, MESSAGE_AUTH_OK, buf_slice(&x->user));
    } else {
        decide(out, space, MESSAGE_AUTH_BAD, buf_slice(&x->user));
    }
}

static FIBER_FN bool answer(struct fake_auth *a, struct smtpd_asked **asked, bool has_response, struct slice response,
                            struct buf *space, struct message_auth_reply *out, struct err *e) {
    struct smtpd_asked *x = *asked;
    bool passed = a->slow_ms == 0 || fiber_sleep(a->slow_ms);
    if (!passed || a->away) {
        end(a, asked);
        return passed ? err_smtp(e, 454, "4.7.0", "log-ins are not possible now")
                      : err_set(e, ERR_CANCELLED, "stopped");
    }
    if (has_response)
        x->step++;
    if (a->locked || a->trouble)
        decide(out, space, a->locked ? MESSAGE_AUTH_LOCKED : MESSAGE_AUTH_TROUBLE, SLICE_EMPTY);
    else if (!has_response)
        challenge(out, slice_eq(x->mechanism, SLICE("LOGIN")) ? "Username:" : "");
    else if (slice_eq(x->mechanism, SLICE("PLAIN")))
        plain(response, space, out);
    else if (slice_eq(x->mechanism, SLICE("LOGIN")))
        login(x, response, space, out);
    else if (slice_starts(x->mechanism, SLICE("SCRAM-")))
        game(x, response, space, out);
    else if (slice_eq(x->mechanism, SLICE("EXTERNAL")))
        decide(out, space, MESSAGE_AUTH_OK, slice_of(x->subject_text, x->subject.n));
    else
        decide(out, space, MESSAGE_AUTH_FAILED, SLICE_EMPTY);
    if (out->result != MESSAGE_AUTH_CHALLENGE)
        end(a, asked);
    return true;
}

static struct slice known(struct slice mechanism) {
    static const char *const names[] = {"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_eq(slice_str(names[i]), mechanism))
            return slice_str(names[i]);
    return SLICE("?");
}

bool fake_auth_begin(struct fake_auth *a, const struct message_auth_begin *m, struct smtpd_asked **asked,
                     struct buf *space, struct message_auth_reply *out, struct err *e) {
    struct smtpd_asked *x = MEM_NEW(struct smtpd_asked);
    assert(m->initial.n <= MESSAGE_SASL_MAX && m->client_subject.n <= sizeof x->subject_text);
    *x = (struct smtpd_asked){.mechanism = known(m->mechanism), .user = {.max = MESSAGE_SASL_MAX}};
    x->subject.n = m->client_subject.n;
    if (m->client_subject.n)
        memcpy(x->subject_text, m->client_subject.p, m->client_subject.n);
    a->open++;
    a->begun++;
    *asked = x;
    return answer(a, asked, m->has_initial, m->initial, space, out, e);
}

bool fake_auth_continue(struct fake_auth *a, struct smtpd_asked **asked, struct slice response, struct buf *space,
                        struct message_auth_reply *out, struct err *e) {
    return answer(a, asked, true, response, space, out, e);
}

void fake_auth_cancel(struct fake_auth *a, struct smtpd_asked *asked) { end(a, &asked); }
