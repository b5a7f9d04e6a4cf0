// auth: the service as a value: its links, its back ends, and what it says of itself.
#include "svc/auth/auth.h"

#include "base/mem.h"
#include "core/auth/auth_offer.h"
#include "rt/net_unix.h"
#include "svc/auth/auth_inside.h"
#include "svc/metrics.h"

#include <assert.h>
#include <stdlib.h>

enum { HASHING_AT_ONCE = 1, ASKING_AT_ONCE = 8, STOP_LOOK_MS = 10 };

// The others only answer.
static void from_answerer(void *service, struct peer_link *from, const struct link_frame *frame) {
    link_break(from->link, "nothing was asked");
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct auth_service *s = service;
    metric_set(&s->metric, METRIC_AUTH_CONVERSATIONS, (int64_t)s->by_id.n);
    metric_set(&s->metric, METRIC_AUTH_WAITING, (int64_t)(s->means.hashing.waiting + s->means.asking.waiting));
    metrics_answer(&s->metric, s->world, from, frame);
}

static void make_peers(struct auth_service *s) {
    const struct peer answers = {.group = &s->group, .handle = from_answerer, .service = s};
    s->policy = s->pam = s->fetch = answers;
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    s->submission = (struct peer){.group = &s->group, .handle = auth_conversation_from_asker, .service = s};
}

struct auth_service *auth_new(struct world *w, const struct config *c) {
    struct auth_service *s = MEM_NEW(struct auth_service);
    *s = (struct auth_service){.world = w, .config = c, .mechanisms = auth_mechanisms(c)};
    fiber_group_init(&s->group, w->loop, "auth");
    make_peers(s);
    list_init(&s->silent);
    list_init(&s->busy);
    s->by_id.key = (struct hash_key){{world_random_u64(w), world_random_u64(w)}};
    s->sweep.fire = auth_conversation_on_sweep;
    world_random(w, s->fake_secret, sizeof s->fake_secret);
    s->means = (struct auth_means){.world = w,
                                   .group = &s->group,
                                   .pam = &s->pam,
                                   .fetch = &s->fetch,
                                   .metric = &s->metric,
                                   .connect = net_unix_connect};
    auth_turns_init(&s->means.hashing, HASHING_AT_ONCE);
    auth_turns_init(&s->means.asking, ASKING_AT_ONCE);
    auth_backends_init(&s->backends, &s->means, c);
    metrics_begin(&s->metric, w);
    return s;
}

void auth_start(struct auth_service *s) { auth_backends_start(&s->backends); }

void auth_attach(struct auth_service *s, struct link *link, enum role peer) {
    struct peer *p = peer == ROLE_SUBMISSION ? &s->submission
                     : peer == ROLE_POLICY   ? &s->policy
                     : peer == ROLE_PAM      ? &s->pam
                     : peer == ROLE_FETCH    ? &s->fetch
                                             : &s->control;
    peer_attach(p, link);
}

void auth_stop(struct auth_service *s) {
    struct mono end = loop_in_ms(s->world->loop, AUTH_STOP_MS);
    while (!list_empty(&s->busy) && mono_before(loop_now(s->world->loop), end) && fiber_sleep(STOP_LOOK_MS))
        ;
    fiber_group_cancel(&s->group);
}

struct fiber_group *auth_fibers(struct auth_service *s) {
    return &s->group;
}

static void free_all(struct list *of) {
    for (struct list *at = of->next; at != of; at = of->next)
        auth_conversation_free(LIST_ENTRY(at, struct auth_conversation, entry));
}

void auth_free(struct auth_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    free_all(&s->silent);
    free_all(&s->busy);
    loop_timer_stop(s->world->loop, &s->sweep);
    auth_backends_done(&s->backends);
    map_done(&s->by_id);
    explicit_bzero(s->fake_secret, sizeof s->fake_secret);
    free(s);
}
