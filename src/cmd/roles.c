// roles: the services of this program, each behind the same few calls.
#include "cmd/role_main.h"

#include "svc/control/control.h"
#include "svc/relay/relay.h"

// --- relay

static void *relay_make(struct world *w, const struct role_start *s, struct err *e) { return relay_new(w, s->config); }

static void relay_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    relay_attach(service, link, peer);
}

static void relay_end(void *service) { relay_stop(service); }
static struct fiber_group *relay_group(void *service) { return relay_fibers(service); }
static void relay_gone(void *service) { relay_free(service); }

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

static const struct role_kind kinds[ROLE_COUNT] = {
    [ROLE_RELAY] = {.net = true,
                    .make = relay_make,
                    .attach = relay_take,
                    .stop = relay_end,
                    .fibers = relay_group,
                    .free = relay_gone},
    [ROLE_CONTROL] = {.make = control_make,
                      .attach = control_take,
                      .listen = control_serve,
                      .stop = control_end,
                      .free = control_gone},
};

const struct role_kind *role_kind(enum role role) { return kinds[role].make ? &kinds[role] : NULL; }
