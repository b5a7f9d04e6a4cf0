// role_policy: policy with its store, or without one.
#include "cmd/role_policy.h"

#include "base/mem.h"
#include "svc/policy/policy.h"

#include <stdio.h>
#include <stdlib.h>

// Address space; the file grows as it is used. Where everything that can be remembered is, it takes about 400 MB.
static const size_t store_size = (size_t)1 << 30;

struct policy_role {
    const struct config *config;
    struct policy_service *service;
};

static void *make(struct world *w, const struct role_start *s, struct err *e) {
    struct policy_role *r = MEM_NEW(struct policy_role);
    *r = (struct policy_role){.config = s->config, .service = policy_new(w, s->config)};
    return r;
}

// Without a store it goes on in memory, and says so: better to forget at a restart than to let nobody in.
static bool start(void *role, struct err *e) {
    struct policy_role *r = role;
    char path[4096], why[ERR_TEXT] = "";
    struct err reason = {0};
    snprintf(path, sizeof path, "%.*s/policy", SLICE_ARG(r->config->state));
    struct store *store = store_lmdb_new(path, store_size, why, &reason);
    if (!policy_start(r->service, store, store ? why : reason.text, e))
        return false;
    if (store)
        store_lmdb_proven(store);
    return true;
}

static void attach(void *role, struct link *link, enum role peer, uint32_t instance) {
    policy_attach(((struct policy_role *)role)->service, link, peer);
}

static void stop(void *role) { policy_stop(((struct policy_role *)role)->service); }
static struct fiber_group *fibers(void *role) { return policy_fibers(((struct policy_role *)role)->service); }

static void gone(void *role) {
    policy_free(((struct policy_role *)role)->service);
    free(role);
}

const struct role_kind role_policy = {
    .make = make, .start = start, .attach = attach, .stop = stop, .fibers = fibers, .free = gone};
