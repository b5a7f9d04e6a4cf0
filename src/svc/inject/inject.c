// inject: from a failed delivery to a notification in the queue.
#include "svc/inject/inject.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "core/queue/queue_id.h"
#include "mail/dsn/dsn.h"
#include "rt/journal.h"
#include "svc/inject/inject_notice.h"
#include "svc/inject/inject_post.h"
#include "svc/metrics.h"
#include "svc/work.h"

#include <assert.h>
#include <stdlib.h>

struct inject_service {
    struct world *world;
    struct fiber_group group;
    struct peer queue, lookup, policy, report, control;
    struct inject_own own;
    struct inject_notices notices;
    struct inject_posts posts;
    struct metric metric;
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
    struct dsn d = {.hostname = s->own.config->hostname,
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

// --- the whole

static FIBER_FN bool notify(struct inject_service *s, struct work *w, uint64_t *id, struct err *e) {
    BUF_AUTO struct buf content = {.max = DSN_MAX + MESSAGE_INLINE_MAX};
    struct envelope env = {.flags = ENVELOPE_NOTICE, .session = w->work.session, .arrived = world_wall(s->world)};
    env.flags |= w->work.flags & ENVELOPE_REQUIRETLS; // what it tells is as confidential (RFC 8689 5)
    if (!w->work.sender.n)
        return err_smtp(e, 550, "5.1.7", "the null reverse-path takes no notification");
    if (!inject_own_address(&s->own, w->work.sender, &w->arena, &env, e))
        return false;
    if (!build(s, w, &content))
        return err_set(e, ERR_TEMPORARY, "the notification is too large");
    if (!utf8_ascii(buf_slice(&content)) || !utf8_ascii(w->work.sender))
        env.flags |= ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT;
    return inject_own_submit(&s->own, w->queue->link, &env, buf_slice(&content), id, e);
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
    *s = (struct inject_service){.world = w};
    fiber_group_init(&s->group, w->loop, "inject");
    s->queue = (struct peer){.group = &s->group, .handle = from_queue, .service = s};
    s->lookup = (struct peer){.group = &s->group, .handle = from_lookup, .service = s};
    s->policy = (struct peer){.group = &s->group, .handle = from_policy, .service = s};
    s->report = (struct peer){.group = &s->group, .handle = from_report, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    s->own = (struct inject_own){.world = w,
                                 .config = c,
                                 .group = &s->group,
                                 .queue = &s->queue,
                                 .lookup = &s->lookup,
                                 .counter = (uint32_t)world_random_u64(w)};
    s->notices.own = s->posts.own = &s->own;
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
