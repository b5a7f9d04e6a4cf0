// resolver: questions from links to the backend, and answers back.
#include "svc/resolver/resolver.h"

#include "base/mem.h"
#include "svc/metrics.h"

#include <assert.h>
#include <stdlib.h>

struct resolver_service {
    struct world *world;
    struct resolver_backend *backend;
    struct fiber_group group;
    struct peer askers, control;
    struct metric metric;
    struct list fresh;   // questions that the backend does not know yet
    struct list pending; // those it knows
    size_t n;            // of both
    struct loop_task ask;
};

// Lives until it was answered and the backend is done with it.
struct question {
    struct list entry;
    struct resolver_service *service;
    struct peer_link *from; // held; NULL once answered
    uint64_t id;
    struct message_resolve m; // the name is owned
    struct loop_timer timer;
    struct mono began;
};

static void question_free(struct question *q) {
    loop_timer_stop(q->service->world->loop, &q->timer);
    list_remove(&q->entry);
    q->service->n--;
    peer_drop(q->from);
    free((char *)q->m.name.p);
    free(q);
}

static void send_reply(struct peer_link *to, uint64_t id, const struct message_resolve_reply *reply) {
    BUF_AUTO struct buf packed = {.max = LINK_PAYLOAD_MAX};
    if (message_resolve_reply_pack(&packed, reply))
        link_send1(to->link, LINK_RESOLVE_REPLY, id, buf_slice(&packed));
}

static unsigned answer_label(const struct message_resolve_reply *reply) {
    return reply->status == MESSAGE_DNS_FAILED ? METRIC_ANSWER_FAILED
           : reply->status == MESSAGE_DNS_OK   ? METRIC_ANSWER_FOUND
                                               : METRIC_ANSWER_NONE;
}

static void count(struct resolver_service *s, const struct question *q, const struct message_resolve_reply *reply) {
    static const unsigned labels[] = {[MESSAGE_DNS_INSECURE] = METRIC_DNSSEC_INSECURE,
                                      [MESSAGE_DNS_SECURE] = METRIC_DNSSEC_SECURE,
                                      [MESSAGE_DNS_BOGUS] = METRIC_DNSSEC_BOGUS};
    metric_add_at(&s->metric, METRIC_DNS_QUERIES, answer_label(reply), 1);
    metric_observe(&s->metric, METRIC_DNS_SECONDS, 0, loop_now(s->world->loop).ns - q->began.ns);
    if (reply->status != MESSAGE_DNS_FAILED || reply->security == MESSAGE_DNS_BOGUS)
        metric_add_at(&s->metric, METRIC_DNS_ANSWERS, labels[reply->security], 1);
}

static void answer(struct question *q, const struct message_resolve_reply *reply) {
    struct resolver_service *s = q->service;
    if (!q->from)
        return;
    send_reply(q->from, q->id, reply);
    count(s, q, reply);
    peer_drop(q->from);
    q->from = NULL;
}

static void on_deadline(struct loop_timer *t) {
    struct question *q = LIST_ENTRY(t, struct question, timer);
    answer(q, &(struct message_resolve_reply){.status = MESSAGE_DNS_FAILED, .why = SLICE("timeout")});
}

static void backend_is_done(void *arg, const struct message_resolve_reply *reply) {
    struct question *q = arg;
    answer(q, reply);
    question_free(q);
}

static void ask_fresh(struct loop_task *task) {
    struct resolver_service *s = LIST_ENTRY(task, struct resolver_service, ask);
    struct list *entry;
    while ((entry = list_shift(&s->fresh))) {
        struct question *q = LIST_ENTRY(entry, struct question, entry);
        list_append(&s->pending, entry);
        s->backend->ask(s->backend, &q->m, backend_is_done, q);
    }
}

static void take_question(struct resolver_service *s, struct peer_link *from, uint64_t id,
                          const struct message_resolve *m) {
    struct question *q = MEM_NEW(struct question);
    char *name = mem_new(m->name.n + 1, 1);
    if (m->name.n)
        memcpy(name, m->name.p, m->name.n);
    *q = (struct question){.service = s, .from = peer_hold(from), .id = id, .timer = {.fire = on_deadline}};
    q->m = (struct message_resolve){.type = m->type, .name = slice_of(name, m->name.n)};
    q->began = loop_now(s->world->loop);
    s->n++;
    list_append(&s->fresh, &q->entry);
    loop_timer_set(s->world->loop, &q->timer, mono_add_ms(q->began, RESOLVER_DEADLINE_MS));
    loop_task_set(s->world->loop, &s->ask);
}

static void from_asker(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct resolver_service *s = service;
    struct message_resolve m;
    if (frame->type != LINK_RESOLVE || !message_resolve_unpack(frame->payload, &m))
        link_break(from->link, "malformed question");
    else if (s->n >= RESOLVER_QUESTIONS_MAX)
        send_reply(from, frame->id,
                   &(struct message_resolve_reply){.status = MESSAGE_DNS_FAILED, .why = SLICE("too many questions")});
    else
        take_question(s, from, frame->id, &m);
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct resolver_service *s = service;
    if (frame->type == LINK_RESOLVE)
        from_asker(service, from, frame);
    else
        metrics_answer(&s->metric, s->world, from, frame);
}

struct resolver_service *resolver_new(struct world *w, struct resolver_backend *backend) {
    struct resolver_service *s = MEM_NEW(struct resolver_service);
    *s = (struct resolver_service){.world = w, .backend = backend, .ask = {.run = ask_fresh}};
    fiber_group_init(&s->group, w->loop, "resolver");
    list_init(&s->fresh);
    list_init(&s->pending);
    s->askers = (struct peer){.group = &s->group, .handle = from_asker, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    metrics_begin(&s->metric, w);
    return s;
}

void resolver_attach(struct resolver_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_CONTROL ? &s->control : &s->askers, link);
}

void resolver_stop(struct resolver_service *s) { fiber_group_cancel(&s->group); }

struct fiber_group *resolver_fibers(struct resolver_service *s) {
    return &s->group;
}

void resolver_free(struct resolver_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    loop_task_stop(&s->ask);
    s->backend->free(s->backend);
    LIST_EACH(at, &s->fresh) question_free(LIST_ENTRY(at, struct question, entry));
    LIST_EACH(at, &s->pending) question_free(LIST_ENTRY(at, struct question, entry));
    free(s);
}
