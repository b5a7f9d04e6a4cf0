// role_connect: calls to the service.
#include "cmd/role_connect.h"

#include "svc/connect/connect.h"

static void *make(struct world *w, const struct role_start *s, struct err *e) { return connect_new(w, s->config); }

static void attach(void *service, struct link *link, enum role peer, uint32_t instance) {
    connect_attach(service, link, peer);
}

static void stop(void *service) { connect_stop(service); }
static struct fiber_group *fibers(void *service) { return connect_fibers(service); }
static void gone(void *service) { connect_free(service); }

const struct role_kind role_connect = {
    .net = true, .make = make, .attach = attach, .stop = stop, .fibers = fibers, .free = gone};
