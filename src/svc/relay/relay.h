// relay: the process that carries mail to other hosts by SMTP.
//
//     queue --WORK--> relay --RESOLVE--> resolver
//           <-READ--        --SMTP-----> the next hop
//           <-OUTCOME-
//
// Each attempt is a fiber: a kept connection to the same destination, or the hosts of it one after the other until one
// takes the message or refuses it; then an OUTCOME with a result for each recipient. It keeps nothing: when it dies, or
// the queue does, the queue hands the work out again.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

enum { RELAY_ATTEMPTS_MAX = 2000, RELAY_GRACE_MS = 4 * MS_SECOND };

struct relay_service;

// `w` and `c` live longer than it.
struct relay_service *relay_new(struct world *w, const struct config *c);

// Takes the link: ROLE_QUEUE, ROLE_RESOLVER or ROLE_CONTROL.
void relay_attach(struct relay_service *s, struct link *link, enum role peer);

// No new work; attempts may end within RELAY_GRACE_MS, then all fibers are cancelled.
void relay_stop(struct relay_service *s);

// All its fibers; cancelling them is a crash. relay_free wants them to have ended.
struct fiber_group *relay_fibers(struct relay_service *s);
void relay_free(struct relay_service *s); // takes NULL
