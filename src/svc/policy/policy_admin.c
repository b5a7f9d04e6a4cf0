// policy_admin: people look, clear, release and block; and the metrics.
#include "svc/policy/policy_inside.h"

#include "svc/metrics.h"

enum { ENTRIES_MAX = 10000, ARENA_MAX = 16 * 1024 * 1024 };

struct answer {
    struct arena arena;
    struct message_policy_reply reply;
    uint32_t limit;
};

static struct message_policy_entry *next_entry(struct answer *a) {
    a->reply.count++;
    return a->reply.entries_n < a->limit ? &a->reply.entries[a->reply.entries_n++] : NULL;
}

static void add_lockout(void *arg, const struct lockout_line *line) {
    static const enum message_policy_kind kinds[] = {MESSAGE_POLICY_ACCOUNT, MESSAGE_POLICY_ADDRESS,
                                                     MESSAGE_POLICY_NETWORK};
    struct message_policy_entry *e = next_entry(arg);
    if (e)
        *e = (struct message_policy_entry){.kind = kinds[line->kind],
                                           .state = line->locked ? MESSAGE_POLICY_LOCKED : MESSAGE_POLICY_COUNTED,
                                           .what = line->what,
                                           .failures = line->failures,
                                           .until = line->until};
}

static void add_account(void *arg, const struct guard_line *line) {
    static const enum message_policy_state states[] = {[GUARD_LEARNING] = MESSAGE_POLICY_LEARNING,
                                                       [GUARD_NORMAL] = MESSAGE_POLICY_NORMAL,
                                                       [GUARD_HOLDING] = MESSAGE_POLICY_HOLDING,
                                                       [GUARD_BLOCKED] = MESSAGE_POLICY_BLOCKED};
    struct message_policy_entry *e = next_entry(arg);
    if (e)
        *e = (struct message_policy_entry){.kind = MESSAGE_POLICY_ACCOUNT,
                                           .state = states[line->state],
                                           .what = line->user,
                                           .messages = line->messages,
                                           .recipients = line->recipients,
                                           .messages_bound = line->messages_bound,
                                           .recipients_bound = line->recipients_bound,
                                           .held = line->held,
                                           .why = line->why};
}

static void add_secret(void *arg, struct slice user, struct slice secret, struct wall used) {
    struct message_policy_entry *e = next_entry(arg);
    if (e)
        *e = (struct message_policy_entry){.kind = MESSAGE_POLICY_SECRET, .what = user, .secret = secret, .used = used};
}

static void list_guard(struct policy_service *s, struct slice user, struct answer *a) {
    static const enum guard_state order[] = {GUARD_HOLDING, GUARD_BLOCKED, GUARD_NORMAL, GUARD_LEARNING};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        guard_list(&s->guard, order[i], user, world_wall(s->world), add_account, a);
}

static void note(struct policy_service *s, enum link_type type, struct slice what, uint32_t n) {
    struct journal *j = s->world->journal;
    if (type == LINK_LOCKOUT_CLEAR)
        journal_event(j, JOURNAL_INFO, "lockout-cleared", JOURNAL_OPT("what", what), JOURNAL_UINT("count", n));
    else if (type == LINK_GUARD_RELEASE && n)
        journal_event(j, JOURNAL_INFO, "guard-released", JOURNAL_STR("user", what));
    else if (type == LINK_GUARD_BLOCK && n)
        journal_event(j, JOURNAL_WARNING, "guard-blocked", JOURNAL_STR("user", what));
}

static void change(struct policy_service *s, enum link_type type, struct slice what, struct answer *a) {
    struct wall now = world_wall(s->world);
    if (type == LINK_LOCKOUT_CLEAR)
        a->reply.count = lockout_clear(&s->lockout, what, now);
    else if (type == LINK_GUARD_RELEASE)
        a->reply.count = what.n && guard_release(&s->guard, what, now);
    else
        a->reply.count = what.n && guard_block(&s->guard, what, now);
    note(s, type, what, a->reply.count);
    policy_changed(s);
}

static bool handle(struct policy_service *s, enum link_type type, struct slice what, struct answer *a) {
    switch (type) {
    case LINK_LOCKOUT_LIST:
        lockout_list(&s->lockout, what, world_wall(s->world), add_lockout, a);
        return true;
    case LINK_GUARD_LIST:
        list_guard(s, what, a);
        return true;
    case LINK_USER_USES:
        policy_secrets_list(&s->secrets, what, add_secret, a);
        return true;
    case LINK_LOCKOUT_CLEAR:
    case LINK_GUARD_RELEASE:
    case LINK_GUARD_BLOCK:
        change(s, type, what, a);
        return true;
    default:
        return false;
    }
}

static void answer(struct policy_service *s, struct peer_link *from, const struct link_frame *frame) {
    BUF_AUTO struct buf b = {.max = LINK_PAYLOAD_MAX};
    struct answer a = {.arena = {.max = ARENA_MAX}};
    struct message_policy_query query;
    if (!message_policy_query_unpack(frame->payload, &query)) {
        link_break(from->link, "a malformed question");
        return;
    }
    a.limit = query.limit < ENTRIES_MAX ? query.limit : ENTRIES_MAX;
    a.reply.entries = arena_alloc(&a.arena, (a.limit + 1) * sizeof *a.reply.entries);
    if (!handle(s, frame->type, query.what, &a))
        link_break(from->link, "not for policy");
    else if (message_policy_reply_pack(&b, &a.reply))
        link_send1(from->link, LINK_POLICY_REPLY, frame->id, buf_slice(&b));
    arena_done(&a.arena);
}

void policy_admin(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct policy_service *s = service;
    if (frame->type >= LINK_SENDER_LIST && frame->type <= LINK_SENDER_ALLOW) {
        policy_senders(s, from, frame);
        return;
    }
    if (frame->type != LINK_METRICS) {
        answer(s, from, frame);
        return;
    }
    metric_set(&s->metric, METRIC_LOCKED, lockout_locked(&s->lockout, world_wall(s->world)));
    metric_set(&s->metric, METRIC_GUARD_HELD, guard_held(&s->guard));
    policy_strangers_metrics(s);
    metrics_answer(&s->metric, s->world, from, frame);
}
