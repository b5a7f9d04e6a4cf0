// auth_converse: one response of a client: through the mechanism, with what policy and the back ends say, to a reply.
#include "svc/auth/auth_inside.h"

#include "base/base64.h"

#include <stdio.h>

enum { ARENA_MAX = 1024 * 1024, NONCE_BYTES = 18, REPLY_MAX = MESSAGE_SASL_MAX + 4096 };

static void reply(struct auth_request *r, const struct message_auth_reply *m) {
    BUF_AUTO struct buf packed = {.max = REPLY_MAX};
    if (!r->c->cancelled && message_auth_reply_pack(&packed, m))
        link_send1(r->c->from->link, LINK_AUTH_REPLY, r->id, buf_slice(&packed));
}

static void remember(struct auth_conversation *c, const struct err *e) {
    snprintf(c->why, sizeof c->why, "%s", e->text);
}

static struct slice why_of(const struct auth_conversation *c, const struct sasl_out *out) {
    return slice_str(c->why[0] ? c->why : out->why);
}

// --- what the back ends know

static FIBER_FN enum auth_verdict ask_scram(struct auth_conversation *c, const struct sasl_ask *ask,
                                            struct arena *arena, struct sasl_answer *answer, struct err *e) {
    struct sasl_scram *scram = ARENA_NEW(arena, struct sasl_scram);
    if (!scram) {
        err_set(e, ERR_TEMPORARY, "out of memory");
        return AUTH_TROUBLE;
    }
    enum auth_verdict v = auth_backends_scram(&c->service->backends, ask->user, ask->digest, arena, scram, e);
    answer->scram = v == AUTH_OK ? scram : NULL;
    return v;
}

static FIBER_FN enum auth_verdict ask_backends(struct auth_conversation *c, const struct sasl_ask *ask,
                                               struct arena *arena, struct sasl_answer *answer, struct err *e) {
    struct list *all = &c->service->backends;
    struct auth_question q = {.user = ask->user,
                              .secret = ask->secret,
                              .mechanism = c->mechanism,
                              .session = slice_str(c->session),
                              .client = c->client,
                              .local = c->local};
    struct auth_found found = {0};
    enum auth_verdict v = AUTH_UNKNOWN;
    switch (ask->kind) {
    case SASL_ASK_PASSWORD:
        v = auth_backends_password(all, &q, arena, &found, e);
        break;
    case SASL_ASK_TOKEN:
        v = auth_backends_token(all, &q, arena, &found, e);
        break;
    case SASL_ASK_CERTIFICATE:
        v = auth_backends_certificate(all, ask->user, e);
        break;
    case SASL_ASK_SCRAM:
        return ask_scram(c, ask, arena, answer, e);
    }
    *answer = (struct sasl_answer){.ok = v == AUTH_OK, .user = found.user, .secret = found.secret};
    return v;
}

// --- how it ends

// Never before the delay that policy asked for has passed since the question came.
static FIBER_FN bool wait_delay(struct auth_request *r) {
    struct mono now = loop_now(r->c->service->world->loop), at = mono_add_ms(r->began, r->c->delay_ms);
    return !mono_before(now, at) || fiber_sleep(mono_ms_between(now, at));
}

static FIBER_FN void end_locked(struct auth_request *r, struct slice user, const struct err *e) {
    if (wait_delay(r))
        reply(r, &(struct message_auth_reply){.result = MESSAGE_AUTH_LOCKED, .user = user, .why = slice_str(e->text)});
}

// After the delay too: nobody gains by asking again at once. submission logs why.
static FIBER_FN void end_trouble(struct auth_request *r, struct slice user, const struct err *e) {
    struct auth_conversation *c = r->c;
    if (e->kind == ERR_CANCELLED)
        return;
    metric_add(&c->service->metric, METRIC_AUTH_TROUBLE, 1);
    if (wait_delay(r))
        reply(r, &(struct message_auth_reply){.result = MESSAGE_AUTH_TROUBLE, .user = user, .why = slice_str(e->text)});
}

static FIBER_FN void end_failed(struct auth_request *r, const struct sasl_out *out) {
    struct auth_conversation *c = r->c;
    bool bad = out->result == SASL_BAD;
    struct slice user = bad ? SLICE_EMPTY : out->user; // bad grammar is no try of an account
    struct err e;
    if (!c->tried && !auth_policy_lets(r, user, &e)) {
        end_locked(r, out->user, &e);
        return;
    }
    auth_policy_tell(c, user, SLICE_EMPTY, false);
    if (wait_delay(r))
        reply(r, &(struct message_auth_reply){
                     .result = bad ? MESSAGE_AUTH_BAD : MESSAGE_AUTH_FAILED, .user = out->user, .why = why_of(c, out)});
}

// A token, or another name for the same user, tells only now whose account it is. What was asked about has gone well.
static FIBER_FN void end_ok(struct auth_request *r, const struct sasl_out *out) {
    struct auth_conversation *c = r->c;
    struct slice asked = slice_of(c->asked, c->asked_n);
    struct err e;
    if (!slice_eq(out->user, asked)) {
        auth_policy_tell(c, asked, SLICE_EMPTY, true);
        if (!auth_policy_lets(r, out->user, &e)) {
            end_locked(r, out->user, &e);
            return;
        }
    }
    auth_policy_tell(c, out->user, out->secret, true);
    reply(r, &(struct message_auth_reply){.result = MESSAGE_AUTH_OK, .user = out->user, .secret = out->secret});
}

// --- the way there

static void begin(struct auth_request *r, struct sasl_out *out) {
    struct auth_conversation *c = r->c;
    struct auth_service *s = c->service;
    BUF_AUTO struct buf nonce = {.max = 64};
    uint8_t random[NONCE_BYTES];
    world_random(s->world, random, sizeof random);
    base64_encode(&nonce, slice_of(random, sizeof random));
    struct sasl_facts facts = {.tls_exporter = r->begin.tls_exporter,
                               .tls_end_point = r->begin.tls_end_point,
                               .client_subject = r->begin.client_subject,
                               .nonce = buf_slice(&nonce),
                               .fake_secret = slice_of(s->fake_secret, sizeof s->fake_secret)};
    bool binding = facts.tls_exporter.n || facts.tls_end_point.n;
    facts.offers_plus = binding && s->mechanisms & 1u << CONFIG_MECHANISM_SCRAM_SHA_256_PLUS;
    auth_backends_fake(&s->backends, &facts);
    sasl_begin(&c->sasl, c->mechanism, &facts, r->begin.has_initial ? &r->begin.initial : NULL, out);
}

// False: it has ended.
static FIBER_FN bool answer_ask(struct auth_request *r, struct sasl_out *out, struct arena *arena) {
    struct auth_conversation *c = r->c;
    struct sasl_answer answer = {0};
    struct err e = {0};
    if (!auth_policy_lets(r, out->ask.user, &e)) {
        end_locked(r, out->ask.user, &e);
        return false;
    }
    enum auth_verdict v = c->cancelled ? AUTH_TROUBLE : ask_backends(c, &out->ask, arena, &answer, &e);
    if (v == AUTH_TROUBLE) {
        end_trouble(r, out->ask.user, &e);
        return false;
    }
    if (v != AUTH_OK)
        remember(c, &e);
    sasl_answer(&c->sasl, &answer, out);
    return true;
}

static void challenge(struct auth_request *r, const struct sasl_out *out) {
    r->c->sasl_waits = true;
    reply(r, &(struct message_auth_reply){
                 .result = MESSAGE_AUTH_CHALLENGE, .conversation = r->c->id, .challenge = out->challenge});
}

void auth_converse(struct auth_request *r) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    struct sasl_out out;
    if (r->is_begin)
        begin(r, &out);
    else
        sasl_step(&r->c->sasl, r->response, &out);
    while (out.result == SASL_ASK)
        if (!answer_ask(r, &out, &arena))
            return;
    if (out.result == SASL_CHALLENGE)
        challenge(r, &out);
    else if (out.result == SASL_OK)
        end_ok(r, &out);
    else
        end_failed(r, &out);
}
