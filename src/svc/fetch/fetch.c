// fetch: questions from links to libcurl, so many at once, the others in a queue.
#include "svc/fetch/fetch.h"

#include "base/mem.h"
#include "core/message/message_auth.h"
#include "rt/journal.h"
#include "svc/fetch/fetch_curl.h"
#include "svc/metrics.h"

#include <assert.h>
#include <stdlib.h>

struct fetch_service {
    struct world *world;
    struct fiber_group group;
    struct peer auth, control;
    struct metric metric;
    struct fetch_curl *curl;
    struct list waiting, running;
    size_t waiting_n, running_n;
};

struct question {
    struct list entry;
    struct fetch_service *service;
    struct peer_link *from; // held
    uint64_t id;
    struct buf payload; // wiped
    struct message_fetch m;
};

static void reply(struct peer_link *to, uint64_t id, const struct message_fetch_reply *m) {
    BUF_AUTO struct buf packed = {.max = FETCH_SIZE_MAX + 4096};
    if (message_fetch_reply_pack(&packed, m))
        link_send1(to->link, LINK_FETCH_REPLY, id, buf_slice(&packed));
    if (packed.p)
        explicit_bzero(packed.p, packed.n);
}

static void question_free(struct question *q) {
    list_remove(&q->entry);
    if (q->payload.p)
        explicit_bzero(q->payload.p, q->payload.cap);
    buf_done(&q->payload);
    peer_drop(q->from);
    free(q);
}

static void start_next(struct fetch_service *s);

static void done(void *arg, const struct message_fetch_reply *said) {
    struct question *q = arg;
    struct fetch_service *s = q->service;
    if (said->status == 0)
        journal_event(s->world->journal, JOURNAL_WARNING, "fetch-failed", JOURNAL_STR("url", q->m.url),
                      JOURNAL_STR("error", said->why));
    reply(q->from, q->id, said);
    question_free(q);
    s->running_n--;
    start_next(s);
}

static void start_next(struct fetch_service *s) {
    while (s->running_n < FETCH_AT_ONCE && !list_empty(&s->waiting)) {
        struct question *q = LIST_ENTRY(list_shift(&s->waiting), struct question, entry);
        s->waiting_n--;
        s->running_n++;
        list_append(&s->running, &q->entry);
        fetch_curl_start(s->curl, &q->m, done, q);
    }
}

static void take_question(struct fetch_service *s, struct peer_link *from, const struct link_frame *frame) {
    struct question *q = MEM_NEW(struct question);
    *q =
        (struct question){.service = s, .from = peer_hold(from), .id = frame->id, .payload = {.max = LINK_PAYLOAD_MAX}};
    buf_add(&q->payload, frame->payload);
    if (!message_fetch_unpack(buf_slice(&q->payload), &q->m)) {
        link_break(from->link, "malformed question");
        question_free(q);
    } else if (s->waiting_n >= FETCH_WAITING_MAX) {
        reply(from, frame->id, &(struct message_fetch_reply){.why = SLICE("too many questions wait")});
        question_free(q);
    } else {
        list_append(&s->waiting, &q->entry);
        s->waiting_n++;
        start_next(s);
    }
}

static void from_auth(void *service, struct peer_link *from, const struct link_frame *frame) {
    if (frame->type == LINK_FETCH)
        take_question(service, from, frame);
    else
        link_break(from->link, "not for fetch");
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct fetch_service *s = service;
    metrics_answer(&s->metric, s->world, from, frame);
}

struct fetch_service *fetch_new(struct world *w, const struct config *c, struct err *e) {
    struct fetch_curl *curl = fetch_curl_new(w, c->tls_ca, e);
    if (!curl)
        return NULL;
    struct fetch_service *s = MEM_NEW(struct fetch_service);
    *s = (struct fetch_service){.world = w, .curl = curl};
    fiber_group_init(&s->group, w->loop, "fetch");
    list_init(&s->waiting);
    list_init(&s->running);
    s->auth = (struct peer){.group = &s->group, .handle = from_auth, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    metrics_begin(&s->metric, w);
    return s;
}

void fetch_attach(struct fetch_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_CONTROL ? &s->control : &s->auth, link);
}

void fetch_stop(struct fetch_service *s) { fiber_group_cancel(&s->group); }

struct fiber_group *fetch_fibers(struct fetch_service *s) {
    return &s->group;
}

void fetch_free(struct fetch_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    fetch_curl_free(s->curl);
    LIST_EACH(at, &s->running) question_free(LIST_ENTRY(at, struct question, entry));
    LIST_EACH(at, &s->waiting) question_free(LIST_ENTRY(at, struct question, entry));
    free(s);
}
