// relay: the service: its links, its attempts, its end.
#include "svc/relay/relay.h"

#include "base/mem.h"
#include "rt/journal.h"
#include "rt/tls/tls.h"
#include "svc/metrics.h"
#include "svc/relay/relay_attempt.h"

#include <assert.h>
#include <stdlib.h>

struct relay_service {
    struct relay_shared shared;
    struct world *world;
    struct peer queue, control;
    struct tls_client *tls; // NULL: never
    bool stopping;
    struct loop_timer grace;
};

static void from_queue(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct relay_service *s = service;
    if (frame->type != LINK_WORK)
        link_break(from->link, "not for a relay");
    else if (!s->stopping) // else the queue hands it to the next one
        relay_attempt_begin(&s->shared, from, frame, RELAY_ATTEMPTS_MAX);
}

static void from_resolver(void *service, struct peer_link *from, const struct link_frame *frame) {
    link_break(from->link, "the resolver has nothing to say of its own");
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct relay_service *s = service;
    metrics_answer(&s->shared.metric, s->world, from, frame);
}

static void attempt_ended(struct relay_shared *shared) {
    struct relay_service *s = LIST_ENTRY(shared, struct relay_service, shared);
    if (s->stopping && shared->attempts == 0)
        fiber_group_cancel(&shared->group);
}

static void grace_is_over(struct loop_timer *t) {
    struct relay_service *s = LIST_ENTRY(t, struct relay_service, grace);
    fiber_group_cancel(&s->shared.group);
}

static FIBER_FN bool start_tls(void *arg, struct transport *inner, struct slice host, struct mono deadline,
                               struct transport **out, struct err *e) {
    return tls_connect(arg, inner, host, deadline, out, e);
}

static FIBER_FN bool start_tls_verified(void *arg, struct transport *inner, struct slice host, struct mono deadline,
                                        struct transport **out, struct err *e) {
    return tls_connect_verified(arg, inner, host, deadline, out, e);
}

static void prepare_tls(struct relay_service *s, const struct config *c) {
    BUF_AUTO struct buf ca = {.max = 4096};
    struct err e;
    if (c->tls_ca.n && buf_add(&ca, c->tls_ca))
        buf_add_char(&ca, '\0');
    s->tls = tls_client_new(ca.p, &e);
    if (!s->tls) {
        journal_event(s->world->journal, JOURNAL_WARNING, "tls-unusable", JOURNAL_ERR(&e));
        return;
    }
    s->shared.start_tls = start_tls;
    s->shared.start_tls_verified = start_tls_verified;
    s->shared.tls_arg = s->tls;
}

struct relay_service *relay_new(struct world *w, const struct config *c) {
    struct relay_service *s = MEM_NEW(struct relay_service);
    struct relay_shared *r = &s->shared;
    struct hash_key key = {{world_random_u64(w), world_random_u64(w)}};
    s->world = w;
    s->grace.fire = grace_is_over;
    fiber_group_init(&r->group, w->loop, "relay");
    r->net = w->net;
    r->config = c;
    r->random.state = world_random_u64(w);
    r->ended = attempt_ended;
    relay_pool_init(&r->pool, &r->group, key);
    s->queue = (struct peer){.group = &r->group, .handle = from_queue, .service = s};
    s->control = (struct peer){.group = &r->group, .handle = from_control, .service = s};
    r->resolver = (struct peer){.group = &r->group, .handle = from_resolver, .service = s};
    if (c->tls_out == CONFIG_TLS_OUT_MAY)
        prepare_tls(s, c);
    metrics_begin(&r->metric, w);
    return s;
}

void relay_attach(struct relay_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_QUEUE ? &s->queue : peer == ROLE_RESOLVER ? &s->shared.resolver : &s->control, link);
}

void relay_stop(struct relay_service *s) {
    s->stopping = true;
    relay_pool_close(&s->shared.pool);
    loop_timer_set(s->world->loop, &s->grace, loop_in_ms(s->world->loop, RELAY_GRACE_MS));
    attempt_ended(&s->shared);
}

struct fiber_group *relay_fibers(struct relay_service *s) {
    return &s->shared.group;
}

void relay_free(struct relay_service *s) {
    if (!s)
        return;
    assert(s->shared.group.n == 0);
    loop_timer_stop(s->world->loop, &s->grace);
    relay_pool_done(&s->shared.pool);
    tls_client_free(s->tls);
    free(s);
}
