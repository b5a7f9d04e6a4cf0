// auth_policy: asking before and telling after, so that guessing gets slow. A policy that is away stops nobody.
#include "svc/auth/auth_inside.h"

#include "base/num.h"
#include "core/message/message_policy.h"
#include "rt/journal.h"

enum { PACKED_MAX = 4096 };

static void tell_away(struct auth_service *s, bool away, const struct err *e) {
    if (away == s->policy_away)
        return;
    s->policy_away = away;
    if (away)
        journal_event(s->world->journal, JOURNAL_WARNING, "policy-away", JOURNAL_ERR(e));
    else
        journal_mark(s->world->journal, JOURNAL_INFO, "policy-back");
}

static FIBER_FN bool ask(struct auth_conversation *c, struct slice user, struct message_try_reply *out,
                         struct buf *space, struct err *e) {
    BUF_AUTO struct buf packed = {.max = PACKED_MAX};
    struct auth_service *s = c->service;
    enum link_type type;
    struct mono deadline = loop_in_ms(s->world->loop, AUTH_POLICY_MS);
    message_try_pack(&packed, &(struct message_try){.client = c->client, .user = user});
    if (!peer_call(&s->policy, LINK_TRY, buf_slice(&packed), deadline, &type, space, e))
        return false;
    return (type == LINK_TRY_REPLY && message_try_reply_unpack(buf_slice(space), out)) ||
           err_set(e, ERR_TEMPORARY, "policy gave no answer");
}

bool auth_policy_lets(struct auth_request *r, struct slice user, struct err *why) {
    struct auth_conversation *c = r->c;
    BUF_AUTO struct buf space = {.max = PACKED_MAX};
    struct message_try_reply said = {.delay_ms = c->service->config->lockout.delay_first};
    struct err e;
    bool there = ask(c, user, &said, &space, &e);
    if (there || e.kind != ERR_CANCELLED)
        tell_away(c->service, !there, &e);
    struct slice kept = slice_upto(user, sizeof c->asked);
    if (kept.n)
        memmove(c->asked, kept.p, kept.n);
    c->asked_n = kept.n;
    c->tried = true;
    c->delay_ms = said.delay_ms < 0 ? 0 : (int64_t)num_min((uint64_t)said.delay_ms, AUTH_DELAY_MAX_MS);
    return !said.locked || err_set(why, ERR_PERMANENT, "locked: %.*s", SLICE_ARG(said.why));
}

void auth_policy_tell(struct auth_conversation *c, struct slice user, struct slice secret, bool ok) {
    BUF_AUTO struct buf packed = {.max = PACKED_MAX};
    struct message_tried m = {.client = c->client, .user = user, .secret = secret, .ok = ok};
    struct peer_link *policy = c->service->policy.now;
    if (policy && message_tried_pack(&packed, &m))
        link_send1(policy->link, LINK_TRIED, 0, buf_slice(&packed));
}
