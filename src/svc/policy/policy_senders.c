// policy_senders: people look at what is remembered of strangers, clear it, block and allow.
#include "svc/policy/policy_inside.h"

#include "core/message/message_sender.h"

enum { ENTRIES_MAX = 10000, ARENA_MAX = 32 * 1024 * 1024 };

struct answer {
    struct arena arena;
    struct message_sender_reply reply;
    uint32_t limit;
};

static struct message_sender_entry *next_entry(struct answer *a) {
    a->reply.count++;
    return a->reply.entries_n < a->limit ? &a->reply.entries[a->reply.entries_n++] : NULL;
}

static enum message_sender_state state_of(const struct standing_line *l) {
    if (l->mark != STANDING_UNMARKED)
        return l->mark == STANDING_BLOCKED ? MESSAGE_SENDER_BLOCKED : MESSAGE_SENDER_ALLOWED;
    return l->shut_out ? MESSAGE_SENDER_SHUT_OUT
           : l->known  ? MESSAGE_SENDER_KNOWN
           : l->points ? MESSAGE_SENDER_COUNTED
                       : MESSAGE_SENDER_SEEN;
}

static void add_standing(void *arg, const struct standing_line *l) {
    static const enum message_sender_kind kinds[STANDING_KINDS] = {MESSAGE_SENDER_ADDRESS, MESSAGE_SENDER_NETWORK,
                                                                   MESSAGE_SENDER_DOMAIN};
    struct answer *a = arg;
    struct message_sender_entry *e = next_entry(a);
    char why[STANDING_WHY];
    if (!e)
        return;
    standing_line_why(l, why);
    bool mailbox = l->kind == STANDING_DOMAIN && slice_find(l->what, '@') < l->what.n;
    *e = (struct message_sender_entry){.kind = mailbox ? MESSAGE_SENDER_MAILBOX : kinds[l->kind],
                                       .state = state_of(l),
                                       .what = l->what,
                                       .points = l->points,
                                       .good = l->good,
                                       .since = l->since,
                                       .until = l->until,
                                       .why = *why ? arena_dup(&a->arena, slice_str(why)) : SLICE_EMPTY};
}

static enum message_sender_kind kind_of(const struct greylist_line *l) {
    struct netaddr_net net;
    if (l->kind == GREYLIST_ADDRESS)
        return MESSAGE_SENDER_MAILBOX;
    return l->kind != GREYLIST_DOMAIN && netaddr_parse_net(l->who, &net) ? MESSAGE_SENDER_NETWORK
                                                                         : MESSAGE_SENDER_DOMAIN;
}

static void add_greylist(void *arg, const struct greylist_line *l) {
    static const enum message_sender_state states[GREYLIST_KINDS] = {MESSAGE_SENDER_WAITING, MESSAGE_SENDER_PROVEN,
                                                                     MESSAGE_SENDER_WROTE_TO, MESSAGE_SENDER_WROTE_TO};
    struct message_sender_entry *e = next_entry(arg);
    if (e)
        *e = (struct message_sender_entry){.kind = kind_of(l),
                                           .state = states[l->kind],
                                           .what = l->who,
                                           .sender = l->sender,
                                           .recipient = l->recipient,
                                           .since = l->since,
                                           .until = l->until};
}

static void list(struct policy_service *s, struct slice what, struct answer *a) {
    struct wall now = world_wall(s->world);
    standing_list(&s->standing, what, now, add_standing, a);
    greylist_list(&s->greylist, what, now, add_greylist, a);
}

static void clear(struct policy_service *s, struct slice what, struct answer *a) {
    a->reply.count = standing_clear(&s->standing, what, world_wall(s->world)) + greylist_clear(&s->greylist, what);
    journal_event(s->world->journal, JOURNAL_INFO, "sender-cleared", JOURNAL_OPT("what", what),
                  JOURNAL_UINT("count", a->reply.count));
}

static void mark(struct policy_service *s, struct slice what, enum standing_mark m, struct answer *a) {
    a->reply.ok = standing_set_mark(&s->standing, what, m, world_wall(s->world));
    a->reply.count = a->reply.ok;
    if (a->reply.ok && m == STANDING_BLOCKED)
        journal_event(s->world->journal, JOURNAL_WARNING, "sender-blocked", JOURNAL_STR("what", what));
    else if (a->reply.ok)
        journal_event(s->world->journal, JOURNAL_INFO, "sender-allowed", JOURNAL_STR("what", what));
}

static void handle(struct policy_service *s, enum link_type type, struct slice what, struct answer *a) {
    if (type == LINK_SENDER_LIST)
        list(s, what, a);
    else if (type == LINK_SENDER_CLEAR)
        clear(s, what, a);
    else
        mark(s, what, type == LINK_SENDER_BLOCK ? STANDING_BLOCKED : STANDING_ALLOWED, a);
    if (type != LINK_SENDER_LIST)
        policy_changed(s);
}

void policy_senders(struct policy_service *s, struct peer_link *from, const struct link_frame *frame) {
    BUF_AUTO struct buf b = {.max = LINK_PAYLOAD_MAX};
    struct answer a = {.arena = {.max = ARENA_MAX}, .reply = {.ok = true}};
    struct message_policy_query query;
    if (!message_policy_query_unpack(frame->payload, &query)) {
        link_break(from->link, "a malformed question");
        return;
    }
    a.limit = query.limit < ENTRIES_MAX ? query.limit : ENTRIES_MAX;
    a.reply.entries = arena_alloc(&a.arena, (a.limit + 1) * sizeof *a.reply.entries);
    handle(s, frame->type, query.what, &a);
    if (message_sender_reply_pack(&b, &a.reply))
        link_send1(from->link, LINK_SENDER_REPLY, frame->id, buf_slice(&b));
    arena_done(&a.arena);
}
