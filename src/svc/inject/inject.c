// inject: from a failed delivery to a notification in the queue.
#include "svc/inject/inject_notice.h"
#include "svc/inject/inject_post.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "core/queue_id.h"
#include "core/route.h"
#include "mail/dsn.h"
#include "rt/journal.h"
#include "svc/metrics.h"
#include "svc/work.h"

#include <assert.h>
#include <stdlib.h>

enum { CALL_DEADLINE_MS = MS_MINUTE };

struct inject_service {
    struct world *world;
    const struct config *config;
    struct fiber_group group;
    struct peer queue, lookup, policy, report, control;
    struct inject_notices notices;
    struct inject_posts posts;
    struct metric metric;
    uint32_t counter; // of queue ids
};

// --- what it says

static bool build(struct inject_service *s, struct work *w, struct buf *out) {
    const struct message_work *work = &w->work;
    char id[QUEUE_ID_TEXT];
    struct dsn_recipient *list = arena_alloc(&w->arena, work->recipients_n * sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < work->recipients_n; i++) {
        const struct message_work_recipient *r = &work->recipients[i];
        list[i] = (struct dsn_recipient){.address = r->address,
                                         .original = r->original,
                                         .smtp = r->smtp,
                                         .enhanced = {r->enhanced[0], r->enhanced[1], r->enhanced[2]},
                                         .reason = r->reason,
                                         .remote = r->remote,
                                         .expired = r->expired};
    }
    queue_id_print(work->queue_id, id);
    struct dsn d = {.hostname = s->config->hostname,
                    .sender = work->sender,
                    .queue_id = slice_of(id, sizeof id),
                    .random = world_random_u64(s->world),
                    .arrived = work->arrived,
                    .now = world_wall(s->world),
                    .smtputf8 = (work->flags & ENVELOPE_SMTPUTF8) != 0,
                    .recipients = list,
                    .recipients_n = work->recipients_n,
                    .header = work->content};
    return dsn_write(&d, out);
}

// --- to whom

static struct slice domain_of(struct slice address) { return slice_from(address, slice_rfind(address, '@') + 1); }

static FIBER_FN bool ask_lookup(struct inject_service *s, struct work *w, struct message_expand_reply *out,
                                struct err *e) {
    struct buf reply = {.max = LINK_PAYLOAD_MAX};
    enum link_type type;
    struct slice kept = SLICE_EMPTY;
    struct mono deadline = loop_in_ms(s->world->loop, CALL_DEADLINE_MS);
    bool ok = peer_call(&s->lookup, LINK_EXPAND, w->work.sender, deadline, &type, &reply, e);
    if (ok)
        kept = arena_dup(&w->arena, buf_slice(&reply));
    buf_done(&reply);
    return ok && (message_expand_reply_unpack(kept, &w->arena, out) ||
                  err_set(e, ERR_TEMPORARY, "the answer of lookup can't be read"));
}

// The sender itself, or who it is where its domain is ours. Permanent when nobody is of that name.
static FIBER_FN bool find_recipients(struct inject_service *s, struct work *w, struct envelope *env, struct err *e) {
    const struct config_domain *domain = route_is_local(s->config, domain_of(w->work.sender));
    struct message_expand_reply who = {.result = MESSAGE_EXPAND_OK, .addresses = &w->work.sender, .addresses_n = 1};
    if (domain && !ask_lookup(s, w, &who, e))
        return false;
    if (who.result == MESSAGE_EXPAND_UNKNOWN || (who.result == MESSAGE_EXPAND_OK && who.addresses_n == 0))
        return err_smtp(e, 550, "5.1.1", "the sender %.*s is not known here", SLICE_ARG(w->work.sender));
    if (who.result != MESSAGE_EXPAND_OK)
        return err_smtp(e, 451, who.result == MESSAGE_EXPAND_BROKEN ? "4.3.5" : "4.3.0", "%.*s", SLICE_ARG(who.why));
    env->recipients = arena_alloc(&w->arena, who.addresses_n * sizeof *env->recipients);
    if (!env->recipients)
        return err_set(e, ERR_TEMPORARY, "out of memory");
    env->recipients_n = who.addresses_n;
    for (size_t i = 0; i < who.addresses_n; i++) {
        bool same = slice_ieq(who.addresses[i], w->work.sender);
        env->recipients[i] = (struct envelope_recipient){who.addresses[i], same ? SLICE_EMPTY : w->work.sender};
    }
    return true;
}

// --- into the queue

static FIBER_FN bool ask_queue(struct inject_service *s, struct work *w, enum link_type type, struct slice head,
                               struct slice rest, uint32_t *slot, struct err *e) {
    BUF_AUTO struct buf bytes = {.max = LINK_PAYLOAD_MAX};
    struct message_submit_reply reply;
    enum link_type reply_type;
    struct slice parts[] = {head, rest};
    struct mono deadline = loop_in_ms(s->world->loop, CALL_DEADLINE_MS);
    if (!link_call(w->queue->link, type, parts, 2, deadline, &reply_type, &bytes, e))
        return false;
    if (!message_submit_reply_unpack(buf_slice(&bytes), &reply))
        return err_set(e, ERR_TEMPORARY, "the answer of the queue can't be read");
    if (!reply.ok)
        return err_set(e, ERR_TEMPORARY, "the queue refuses the notification: %.*s", SLICE_ARG(reply.text));
    if (slot)
        *slot = reply.slot;
    return true;
}

// All but the last MESSAGE_INLINE_MAX bytes go ahead in pieces.
static FIBER_FN bool send_pieces(struct inject_service *s, struct work *w, struct message_submit *m, struct err *e) {
    if (m->content.n <= MESSAGE_INLINE_MAX)
        return true;
    if (!ask_queue(s, w, LINK_SUBMIT_OPEN, SLICE_EMPTY, SLICE_EMPTY, &m->slot, e))
        return false;
    while (m->content.n > MESSAGE_INLINE_MAX) {
        BUF_AUTO struct buf head = {.max = 64};
        if (!message_piece_pack_head(&head, m->slot))
            return err_set(e, ERR_TEMPORARY, "out of memory");
        struct slice piece = slice_upto(m->content, MESSAGE_INLINE_MAX);
        if (!ask_queue(s, w, LINK_SUBMIT_PIECE, buf_slice(&head), piece, NULL, e))
            return false;
        m->content = slice_from(m->content, piece.n);
    }
    return true;
}

static FIBER_FN bool submit(struct inject_service *s, struct work *w, const struct envelope *env, struct slice content,
                            uint64_t *id, struct err *e) {
    BUF_AUTO struct buf head = {.max = LINK_PAYLOAD_MAX};
    struct message_submit m = {.envelope = *env, .content = content};
    m.queue_id = *id = queue_id_make(env->arrived, s->counter++);
    if (!send_pieces(s, w, &m, e))
        return false;
    if (!message_submit_pack_head(&head, &m))
        return err_set(e, ERR_TEMPORARY, "the notification is too large");
    return ask_queue(s, w, LINK_SUBMIT, buf_slice(&head), m.content, NULL, e);
}

// --- the whole

static FIBER_FN bool notify(struct inject_service *s, struct work *w, uint64_t *id, struct err *e) {
    BUF_AUTO struct buf content = {.max = DSN_MAX + MESSAGE_INLINE_MAX};
    struct envelope env = {.flags = ENVELOPE_NOTICE, .session = w->work.session, .arrived = world_wall(s->world)};
    env.flags |= w->work.flags & ENVELOPE_REQUIRETLS; // what it tells is as confidential (RFC 8689 5)
    if (!w->work.sender.n)
        return err_smtp(e, 550, "5.1.7", "the null reverse-path takes no notification");
    if (!find_recipients(s, w, &env, e))
        return false;
    if (!build(s, w, &content))
        return err_set(e, ERR_TEMPORARY, "the notification is too large");
    if (!utf8_ascii(buf_slice(&content)) || !utf8_ascii(w->work.sender))
        env.flags |= ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT;
    return submit(s, w, &env, buf_slice(&content), id, e);
}

static void tell(struct inject_service *s, const struct work *w, uint64_t notice, const struct err *e) {
    char id[QUEUE_ID_TEXT], of[QUEUE_ID_TEXT];
    queue_id_print(notice, id);
    queue_id_print(w->work.queue_id, of);
    if (!e)
        journal_event(s->world->journal, JOURNAL_INFO, "notification-queued",
                      JOURNAL_STR("queue", slice_of(id, sizeof id)), JOURNAL_STR("about", slice_of(of, sizeof of)),
                      JOURNAL_STR("to", w->work.sender));
    else
        journal_event(s->world->journal, JOURNAL_WARNING, "notification-failed",
                      JOURNAL_STR("about", slice_of(of, sizeof of)), JOURNAL_BOOL("dropped", err_is_permanent(e)),
                      JOURNAL_STR("to", w->work.sender), JOURNAL_ERR(e));
}

static FIBER_FN bool run(void *service, struct work *w) {
    struct inject_service *s = service;
    struct err e = {0};
    uint64_t id = 0;
    bool ok = notify(s, w, &id, &e);
    if (!ok && (e.kind == ERR_CANCELLED || !link_is_up(w->queue->link)))
        return false;
    tell(s, w, id, ok ? NULL : &e);
    w->outcome.site = MESSAGE_SITE_WORKED;
    if (ok)
        metric_add(&s->metric, METRIC_BOUNCES_SENT, 1);
    for (size_t i = 0; i < w->work.recipients_n; i++)
        if (ok)
            work_result(w, i, MESSAGE_DELIVERED, (const uint16_t[]){2, 0, 0}, SLICE("notification queued"));
        else
            work_result_err(w, i, &e);
    return true;
}

static void from_queue(void *service, struct peer_link *from, const struct link_frame *frame) {
    work_begin(from, frame, MESSAGE_WORK_NOTIFY, service, run);
}

static void from_lookup(void *service, struct peer_link *from, const struct link_frame *frame) {
    link_break(from->link, "lookup has nothing to say of its own");
}

static void from_policy(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct inject_service *s = service;
    inject_notice_begin(&s->notices, from, frame);
}

static void from_report(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct inject_service *s = service;
    inject_post_begin(&s->posts, from, frame);
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct inject_service *s = service;
    metrics_answer(&s->metric, s->world, from, frame);
}

struct inject_service *inject_new(struct world *w, const struct config *c) {
    struct inject_service *s = MEM_NEW(struct inject_service);
    *s = (struct inject_service){.world = w, .config = c, .counter = (uint32_t)world_random_u64(w)};
    fiber_group_init(&s->group, w->loop, "inject");
    s->queue = (struct peer){.group = &s->group, .handle = from_queue, .service = s};
    s->lookup = (struct peer){.group = &s->group, .handle = from_lookup, .service = s};
    s->policy = (struct peer){.group = &s->group, .handle = from_policy, .service = s};
    s->notices = (struct inject_notices){
        .world = w, .config = c, .group = &s->group, .queue = &s->queue, .lookup = &s->lookup, .counter = &s->counter};
    s->report = (struct peer){.group = &s->group, .handle = from_report, .service = s};
    s->posts.notices = &s->notices;
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    metrics_begin(&s->metric, w);
    return s;
}

void inject_attach(struct inject_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_QUEUE    ? &s->queue
                : peer == ROLE_LOOKUP ? &s->lookup
                : peer == ROLE_POLICY ? &s->policy
                : peer == ROLE_REPORT ? &s->report
                                      : &s->control,
                link);
}

void inject_stop(struct inject_service *s) { fiber_group_cancel(&s->group); }

struct fiber_group *inject_fibers(struct inject_service *s) {
    return &s->group;
}

void inject_free(struct inject_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    free(s);
}
