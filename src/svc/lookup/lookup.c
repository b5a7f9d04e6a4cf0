// lookup: questions and answers.
#include "svc/lookup/lookup.h"

#include "base/mem.h"
#include "core/message/message.h"
#include "core/message/message_gate.h"
#include "core/auth/sender.h"
#include "rt/journal.h"
#include "svc/lookup/lookup_tables.h"
#include "svc/metrics.h"

#include <assert.h>
#include <stdlib.h>

enum { ARENA_MAX = 16 * 1024 * 1024 };

struct lookup_service {
    struct world *world;
    const struct config *config;
    struct fiber_group group;
    struct peer askers, control;
    struct metric metric;
    struct lookup_tables *tables;
    struct arena arena; // of one answer
};

static bool fill_reply(struct lookup_service *s, const struct recipients *found, struct message_expand_reply *reply) {
    reply->result = found->kind == RECIPIENT_UNKNOWN ? MESSAGE_EXPAND_UNKNOWN : MESSAGE_EXPAND_OK;
    if (found->kind == RECIPIENT_UNKNOWN)
        return true;
    reply->addresses = arena_alloc(&s->arena, (found->n + 1) * sizeof *reply->addresses);
    if (!reply->addresses)
        return false;
    for (size_t i = 0; i < found->n; i++)
        reply->addresses[i] = found->list[i].address;
    reply->addresses_n = found->n;
    return true;
}

static unsigned label_of(enum message_expansion result) {
    return result == MESSAGE_EXPAND_OK        ? METRIC_ANSWER_FOUND
           : result == MESSAGE_EXPAND_UNKNOWN ? METRIC_ANSWER_NONE
                                              : METRIC_ANSWER_FAILED;
}

// RFC 3463 3.4: 4.3.5 is a mistake in our configuration. The administrator hears which; who asked does not.
static enum message_expansion failure(struct lookup_service *s, struct slice address, const struct err *e) {
    if (e->enhanced[1] != 3 || e->enhanced[2] != 5)
        return MESSAGE_EXPAND_FAILED; // a table that is missing was told of when it was read
    journal_event(s->world->journal, JOURNAL_WARNING, "alias-broken", JOURNAL_STR("address", address), JOURNAL_ERR(e));
    return MESSAGE_EXPAND_BROKEN;
}

static void expand(struct lookup_service *s, struct peer_link *from, const struct link_frame *frame) {
    struct recipients found = {0};
    struct message_expand_reply reply = {.result = MESSAGE_EXPAND_FAILED};
    struct err e = {0};
    BUF_AUTO struct buf packed = {.max = LINK_PAYLOAD_MAX};
    if (!recipient_expand(s->config, lookup_tables_now(s->tables), frame->payload, &s->arena, &found, &e))
        reply = (struct message_expand_reply){.result = failure(s, frame->payload, &e), .why = slice_str(e.text)};
    else if (!fill_reply(s, &found, &reply))
        reply = (struct message_expand_reply){.result = MESSAGE_EXPAND_FAILED, .why = SLICE("out of memory")};
    metric_add_at(&s->metric, METRIC_LOOKUPS, label_of(reply.result), 1);
    if (message_expand_reply_pack(&packed, &reply))
        link_send1(from->link, LINK_EXPAND_REPLY, frame->id, buf_slice(&packed));
    arena_reset(&s->arena);
}

static enum message_ownership owns(struct lookup_service *s, const struct message_owns *m) {
    bool may = false;
    struct err e = {0};
    if (sender_may(s->config, lookup_tables_now(s->tables), m->user, m->address, &s->arena, &may, &e))
        return may ? MESSAGE_OWNS_YES : MESSAGE_OWNS_NO;
    (void)failure(s, m->address, &e);
    return MESSAGE_OWNS_FAILED;
}

static void answer_owns(struct lookup_service *s, struct peer_link *from, const struct link_frame *frame) {
    static const unsigned labels[] = {[MESSAGE_OWNS_NO] = METRIC_ANSWER_NONE,
                                      [MESSAGE_OWNS_YES] = METRIC_ANSWER_FOUND,
                                      [MESSAGE_OWNS_FAILED] = METRIC_ANSWER_FAILED};
    BUF_AUTO struct buf packed = {.max = 64};
    struct message_owns m;
    if (!message_owns_unpack(frame->payload, &m)) {
        link_break(from->link, "a malformed OWNS");
        return;
    }
    enum message_ownership result = owns(s, &m);
    metric_add_at(&s->metric, METRIC_LOOKUPS, labels[result], 1);
    message_owns_reply_pack(&packed, result);
    link_send1(from->link, LINK_OWNS_REPLY, frame->id, buf_slice(&packed));
    arena_reset(&s->arena);
}

static void answer_match(struct lookup_service *s, struct peer_link *from, const struct link_frame *frame) {
    static const unsigned labels[] = {[MESSAGE_MATCH_NO] = METRIC_ANSWER_NONE,
                                      [MESSAGE_MATCH_YES] = METRIC_ANSWER_FOUND,
                                      [MESSAGE_MATCH_FAILED] = METRIC_ANSWER_FAILED};
    BUF_AUTO struct buf packed = {.max = 64};
    struct message_match m;
    if (!message_match_unpack(frame->payload, &m)) {
        link_break(from->link, "a malformed MATCH");
        return;
    }
    enum message_match_result result = lookup_tables_match(s->tables, m.table, m.value);
    metric_add_at(&s->metric, METRIC_LOOKUPS, labels[result], 1);
    message_match_reply_pack(&packed, result);
    link_send1(from->link, LINK_MATCH_REPLY, frame->id, buf_slice(&packed));
}

static void from_asker(void *service, struct peer_link *from, const struct link_frame *frame) {
    if (frame->type == LINK_EXPAND)
        expand(service, from, frame);
    else if (frame->type == LINK_OWNS)
        answer_owns(service, from, frame);
    else if (frame->type == LINK_MATCH)
        answer_match(service, from, frame);
    else
        link_break(from->link, "not for lookup");
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct lookup_service *s = service;
    metrics_answer(&s->metric, s->world, from, frame);
}

struct lookup_service *lookup_new(struct world *w, const struct config *c) {
    struct lookup_service *s = MEM_NEW(struct lookup_service);
    *s = (struct lookup_service){.world = w, .config = c, .arena = {.max = ARENA_MAX}};
    fiber_group_init(&s->group, w->loop, "lookup");
    s->askers = (struct peer){.group = &s->group, .handle = from_asker, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    s->tables = lookup_tables_new(w, c);
    metrics_begin(&s->metric, w);
    return s;
}

void lookup_attach(struct lookup_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_CONTROL ? &s->control : &s->askers, link);
}

void lookup_stop(struct lookup_service *s) { fiber_group_cancel(&s->group); }

struct fiber_group *lookup_fibers(struct lookup_service *s) {
    return &s->group;
}

void lookup_free(struct lookup_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    lookup_tables_free(s->tables);
    arena_done(&s->arena);
    free(s);
}
