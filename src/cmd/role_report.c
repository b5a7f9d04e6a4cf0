// role_report: report with its store, or without one.
#include "cmd/role_report.h"

#include "base/mem.h"
#include "svc/master/topology.h"
#include "svc/report/report.h"

#include <stdio.h>
#include <stdlib.h>

// Address space; the file grows as it is used.
static const size_t store_size = (size_t)512 << 20;

struct report_role {
    const struct config *config;
    struct report_service *service;
};

static void *make(struct world *w, const struct role_start *s, struct err *e) {
    struct report_role *r = MEM_NEW(struct report_role);
    *r = (struct report_role){.config = s->config,
                              .service = report_new(w, s->config, topology_instances(s->config, ROLE_KEYS))};
    return r;
}

static bool start(void *role, struct err *e) {
    struct report_role *r = role;
    char path[4096], why[ERR_TEXT] = "";
    struct err reason = {0};
    snprintf(path, sizeof path, "%.*s/reports", SLICE_ARG(r->config->state));
    struct store *store = store_lmdb_new(path, store_size, why, &reason);
    if (!report_start(r->service, store, store ? why : reason.text, e))
        return false;
    if (store)
        store_lmdb_proven(store);
    return true;
}

static void attach(void *role, struct link *link, enum role peer, uint32_t instance) {
    report_attach(((struct report_role *)role)->service, link, peer, instance);
}

static void stop(void *role) { report_stop(((struct report_role *)role)->service); }
static struct fiber_group *fibers(void *role) { return report_fibers(((struct report_role *)role)->service); }

static void gone(void *role) {
    report_free(((struct report_role *)role)->service);
    free(role);
}

const struct role_kind role_report = {
    .make = make, .start = start, .attach = attach, .stop = stop, .fibers = fibers, .free = gone};
