// role_auth: the three processes that find out who a user is.
#include "cmd/role_auth.h"

#include "svc/auth/auth.h"
#include "svc/fetch/fetch.h"
#include "svc/pam/pam.h"

// --- auth

static void *auth_make(struct world *w, const struct role_start *s, struct err *e) { return auth_new(w, s->config); }

static bool auth_begin(void *service, struct err *e) {
    auth_start(service);
    return true;
}

static void auth_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    auth_attach(service, link, peer);
}

static void auth_end(void *service) { auth_stop(service); }
static struct fiber_group *auth_group(void *service) { return auth_fibers(service); }
static void auth_gone(void *service) { auth_free(service); }

const struct role_kind role_auth = {.make = auth_make,
                                    .start = auth_begin,
                                    .attach = auth_take,
                                    .stop = auth_end,
                                    .fibers = auth_group,
                                    .free = auth_gone};

// --- pam

static void *pam_make(struct world *w, const struct role_start *s, struct err *e) { return pam_new(w, NULL); }

static void pam_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    pam_attach(service, link, peer);
}

static void pam_halt(void *service) { pam_stop(service); }
static struct fiber_group *pam_group(void *service) { return pam_fibers(service); }
static void pam_gone(void *service) { pam_free(service); }

const struct role_kind role_pam = {
    .make = pam_make, .attach = pam_take, .stop = pam_halt, .fibers = pam_group, .free = pam_gone};

// --- fetch

static void *fetch_make(struct world *w, const struct role_start *s, struct err *e) {
    return fetch_new(w, s->config, e);
}

static void fetch_take(void *service, struct link *link, enum role peer, uint32_t instance) {
    fetch_attach(service, link, peer);
}

static void fetch_end(void *service) { fetch_stop(service); }
static struct fiber_group *fetch_group(void *service) { return fetch_fibers(service); }
static void fetch_gone(void *service) { fetch_free(service); }

const struct role_kind role_fetch = {
    .make = fetch_make, .attach = fetch_take, .stop = fetch_end, .fibers = fetch_group, .free = fetch_gone};
