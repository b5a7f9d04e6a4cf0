// fetch: the process that asks others by HTTPS, for those who have no network of their own: FETCH -> FETCH_REPLY.
// Certificates are verified, by `tls ca` where that is given and the system's authorities otherwise; plain HTTP goes to
// this machine only; redirects are not followed; time and size are bounded by the question and by us.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

enum {
    FETCH_AT_ONCE = 32,
    FETCH_WAITING_MAX = 1000,         // past it: no answer
    FETCH_MS_MAX = 60 * MS_SECOND,    // whatever was asked for
    FETCH_SIZE_MAX = 4 * 1024 * 1024, // bytes, likewise
};

struct fetch_service;

// NULL and `e` when libcurl can't be set up.
struct fetch_service *fetch_new(struct world *w, const struct config *c, struct err *e);

// ROLE_AUTH or ROLE_CONTROL.
void fetch_attach(struct fetch_service *s, struct link *link, enum role peer);

void fetch_stop(struct fetch_service *s);
struct fiber_group *fetch_fibers(struct fetch_service *s);
void fetch_free(struct fetch_service *s); // takes NULL; its fibers have ended
