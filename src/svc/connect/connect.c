// connect: a fiber for each attempt.
#include "svc/connect/connect.h"

#include "base/mem.h"
#include "rt/journal.h"
#include "rt/net_unix.h"
#include "svc/metrics.h"

#include <assert.h>
#include <stdlib.h>

struct connect_service {
    struct world *world;
    const struct config *config;
    struct fiber_group group;
    struct peer sessions, control;
    struct metric metric;
    bool *failing; // by filter: the last attempt failed, and that was said
    size_t running;
};

struct attempt {
    struct connect_service *service;
    struct peer_link *from; // held
    uint64_t id;
    size_t filter;
};

static void refuse(struct peer_link *to, uint64_t id, const char *why) {
    link_send1(to->link, LINK_FILTER_REPLY, id, slice_str(why));
}

// A filter that is away is asked for by every session: its failure is said once, and its end.
static void note(struct connect_service *s, size_t filter, const struct err *e) {
    const struct config_filter *f = &s->config->gate.filters[filter];
    if (e && !s->failing[filter])
        journal_event(s->world->journal, JOURNAL_WARNING, "filter-unreachable", JOURNAL_STR("filter", f->name),
                      JOURNAL_ERR(e));
    else if (!e && s->failing[filter])
        journal_event(s->world->journal, JOURNAL_INFO, "filter-reachable", JOURNAL_STR("filter", f->name));
    s->failing[filter] = e != NULL;
}

static FIBER_FN bool open_filter(struct connect_service *s, const struct config_filter *f, struct transport **out,
                                 struct err *e) {
    if (f->path.n)
        return net_unix_connect(s->world->loop, f->path, out, e);
    return net_connect(s->world->net, &f->at, loop_in_ms(s->world->loop, f->connect), out, NULL, e);
}

static void answer(struct attempt *a) {
    struct connect_service *s = a->service;
    struct transport *t;
    struct err e;
    bool open = open_filter(s, &s->config->gate.filters[a->filter], &t, &e);
    note(s, a->filter, open ? NULL : &e);
    if (!open) {
        refuse(a->from, a->id, e.text);
        return;
    }
    if (!link_send_transport(a->from->link, LINK_FILTER_REPLY, a->id, SLICE_EMPTY, t))
        refuse(a->from, a->id, "the connection can't be passed on");
}

static void attempt_free(struct attempt *a) {
    a->service->running--;
    peer_drop(a->from);
    free(a);
}

static void run_attempt(void *arg) {
    answer(arg);
    attempt_free(arg);
}

static bool find_filter(const struct connect_service *s, struct slice name, size_t *out) {
    const struct config_gate *g = &s->config->gate;
    for (size_t i = 0; i < g->filters_n; i++)
        if (slice_eq(g->filters[i].name, name)) {
            *out = i;
            return true;
        }
    return false;
}

static void start_attempt(struct connect_service *s, struct peer_link *from, uint64_t id, size_t filter) {
    struct err e;
    struct attempt *a = MEM_NEW(struct attempt);
    *a = (struct attempt){.service = s, .from = peer_hold(from), .id = id, .filter = filter};
    s->running++;
    if (fiber_spawn(&s->group, "attempt", run_attempt, a, &e))
        return;
    refuse(from, id, e.text);
    attempt_free(a);
}

static void from_session(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct connect_service *s = service;
    size_t filter;
    if (frame->type != LINK_FILTER)
        link_break(from->link, "not for connect");
    else if (!find_filter(s, frame->payload, &filter)) // a session of before a reload
        refuse(from, frame->id, "no such filter");
    else if (s->running >= CONNECT_AT_ONCE)
        refuse(from, frame->id, "too many connections are being opened");
    else
        start_attempt(s, from, frame->id, filter);
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct connect_service *s = service;
    metrics_answer(&s->metric, s->world, from, frame);
}

struct connect_service *connect_new(struct world *w, const struct config *c) {
    struct connect_service *s = MEM_NEW(struct connect_service);
    *s = (struct connect_service){.world = w, .config = c};
    fiber_group_init(&s->group, w->loop, "connect");
    s->sessions = (struct peer){.group = &s->group, .handle = from_session, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    s->failing = mem_new(c->gate.filters_n + 1, sizeof *s->failing);
    metrics_begin(&s->metric, w);
    return s;
}

void connect_attach(struct connect_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_CONTROL ? &s->control : &s->sessions, link);
}

void connect_stop(struct connect_service *s) { fiber_group_cancel(&s->group); }

struct fiber_group *connect_fibers(struct connect_service *s) {
    return &s->group;
}

void connect_free(struct connect_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0 && s->running == 0);
    free(s->failing);
    free(s);
}
