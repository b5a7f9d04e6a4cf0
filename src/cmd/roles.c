// roles: the services of this program, each behind the same few calls.
#include "cmd/role_main.h"

#include "cmd/role_auth.h"
#include "cmd/role_connect.h"
#include "cmd/role_keys.h"
#include "cmd/role_policy.h"
#include "cmd/role_report.h"
#include "cmd/role_sessions.h"
#include "svc/control/control.h"
#include "svc/deliver/deliver.h"
#include "svc/history/history.h"
#include "svc/inject/inject.h"
#include "svc/lookup/lookup.h"
#include "svc/queue/queue.h"
#include "svc/relay/relay.h"
#include "svc/resolver/resolver_unbound.h"

// --- queue

static void *queue_make(struct world *w, const struct role_start *s, struct err *e) { return queue_new(w, s->config); }

static void queue_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    queue_attach(service, link, peer);
}

static bool queue_begin(void *service, struct err *e) { return queue_start(service, e); }
static void queue_end(void *service) { queue_stop(service); }
static struct fiber_group *queue_group(void *service) { return queue_fibers(service); }
static void queue_gone(void *service) { queue_free(service); }

// --- lookup

static void *lookup_make(struct world *w, const struct role_start *s, struct err *e) {
    return lookup_new(w, s->config);
}

static void lookup_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    lookup_attach(service, link, peer);
}

static void lookup_end(void *service) { lookup_stop(service); }
static struct fiber_group *lookup_group(void *service) { return lookup_fibers(service); }
static void lookup_gone(void *service) { lookup_free(service); }

// --- deliver

static void *deliver_make(struct world *w, const struct role_start *s, struct err *e) {
    return deliver_new(w, s->config);
}

static void deliver_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    deliver_attach(service, link, peer);
}

static void deliver_end(void *service) { deliver_stop(service); }
static struct fiber_group *deliver_group(void *service) { return deliver_fibers(service); }
static void deliver_gone(void *service) { deliver_free(service); }

// --- relay

static void *relay_make(struct world *w, const struct role_start *s, struct err *e) { return relay_new(w, s->config); }

static void relay_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    relay_attach(service, link, peer);
}

static void relay_end(void *service) { relay_stop(service); }
static struct fiber_group *relay_group(void *service) { return relay_fibers(service); }
static void relay_gone(void *service) { relay_free(service); }

// --- inject

static void *inject_make(struct world *w, const struct role_start *s, struct err *e) {
    return inject_new(w, s->config);
}

static void inject_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    inject_attach(service, link, peer);
}

static void inject_end(void *service) { inject_stop(service); }
static struct fiber_group *inject_group(void *service) { return inject_fibers(service); }
static void inject_gone(void *service) { inject_free(service); }

// --- resolver

static void *resolver_make(struct world *w, const struct role_start *s, struct err *e) {
    struct resolver_backend *backend = resolver_unbound_new(w, s->config, e);
    return backend ? resolver_new(w, backend) : NULL;
}

static void resolver_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    resolver_attach(service, link, peer);
}

static void resolver_end(void *service) { resolver_stop(service); }
static struct fiber_group *resolver_group(void *service) { return resolver_fibers(service); }
static void resolver_gone(void *service) { resolver_free(service); }

// --- control

static void *control_make(struct world *w, const struct role_start *s, struct err *e) {
    return control_new(w, s->config, POSTHOUSE_VERSION);
}

static void control_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    control_attach(service, link, peer, instance);
}

static bool control_serve(void *service, struct listener *l, uint32_t index, struct err *e) {
    return control_listen(service, l, index == HANDOVER_INDEX_CONTROL ? CONTROL_LISTEN_SOCKET : CONTROL_LISTEN_HTTP, e);
}

static void control_end(void *service) { control_stop(service); }
static void control_gone(void *service) { control_free(service); }

// --- history

static void *history_make(struct world *w, const struct role_start *s, struct err *e) {
    return history_new(w, s->config);
}

static void history_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    history_attach(service, link, peer);
}

static bool history_begin(void *service, struct err *e) { return history_start(service, e); }
static FIBER_FN void history_end(void *service) {
    history_drain(service);
    history_stop(service);
}

static struct fiber_group *history_group(void *service) { return history_fibers(service); }
static void history_gone(void *service) { history_free(service); }

static const struct role_kind kinds[ROLE_COUNT] = {
    [ROLE_QUEUE] = {.disk = ROLE_DISK_STATE,
                    .make = queue_make,
                    .start = queue_begin,
                    .attach = queue_take,
                    .stop = queue_end,
                    .fibers = queue_group,
                    .free = queue_gone},
    [ROLE_LOOKUP] =
        {.make = lookup_make, .attach = lookup_take, .stop = lookup_end, .fibers = lookup_group, .free = lookup_gone},
    [ROLE_DELIVER] = {.disk = ROLE_DISK_ROOT,
                      .make = deliver_make,
                      .attach = deliver_take,
                      .stop = deliver_end,
                      .fibers = deliver_group,
                      .free = deliver_gone},
    [ROLE_RELAY] = {.net = true,
                    .make = relay_make,
                    .attach = relay_take,
                    .stop = relay_end,
                    .fibers = relay_group,
                    .free = relay_gone},
    [ROLE_INJECT] =
        {.make = inject_make, .attach = inject_take, .stop = inject_end, .fibers = inject_group, .free = inject_gone},
    [ROLE_RESOLVER] = {.make = resolver_make,
                       .attach = resolver_take,
                       .stop = resolver_end,
                       .fibers = resolver_group,
                       .free = resolver_gone},
    [ROLE_HISTORY] = {.disk = ROLE_DISK_STATE,
                      .make = history_make,
                      .start = history_begin,
                      .attach = history_take,
                      .stop = history_end,
                      .fibers = history_group,
                      .free = history_gone},
    [ROLE_CONTROL] = {.make = control_make,
                      .attach = control_take,
                      .listen = control_serve,
                      .stop = control_end,
                      .free = control_gone},
};

const struct role_kind *role_kind(enum role role) {
    if (ROLE_SESSIONS & (1u << role))
        return &role_sessions;
    if (role == ROLE_KEYS)
        return &role_keys;
    if (role == ROLE_POLICY)
        return &role_policy;
    if (role == ROLE_REPORT)
        return &role_report;
    if (role == ROLE_CONNECT)
        return &role_connect;
    if (role == ROLE_AUTH)
        return &role_auth;
    if (role == ROLE_PAM)
        return &role_pam;
    if (role == ROLE_FETCH)
        return &role_fetch;
    return kinds[role].make ? &kinds[role] : NULL;
}
