// resolver: the process that asks DNS. Others send RESOLVE and get RESOLVE_REPLY under the same id; it keeps nothing
// but its backend's cache. A backend is libunbound (resolver_unbound.h), or a table in tests and in the simulator.
#pragma once

#include "core/config/config.h"
#include "core/message/message.h"
#include "rt/link.h"
#include "rt/world.h"

enum {
    RESOLVER_QUESTIONS_MAX = 10000,        // under way; more are answered "FAILED" at once
    RESOLVER_DEADLINE_MS = 30 * MS_SECOND, // then FAILED "timeout"
};

// Who knows the answers. All calls come from outside of any fiber, with all the stack of the process (libunbound takes
// 195 KB of it).
struct resolver_backend {
    // Calls `done` exactly once, maybe before it returns. `q` and the reply live only during the calls.
    void (*ask)(struct resolver_backend *b, const struct message_resolve *q,
                void (*done)(void *arg, const struct message_resolve_reply *reply), void *arg);
    // No `done` is called any more.
    void (*free)(struct resolver_backend *b);
};

struct resolver_service;

// Takes the backend.
struct resolver_service *resolver_new(struct world *w, struct resolver_backend *backend);

// ROLE_CONTROL, or any role that may send RESOLVE.
void resolver_attach(struct resolver_service *s, struct link *link, enum role peer);

void resolver_stop(struct resolver_service *s);
struct fiber_group *resolver_fibers(struct resolver_service *s);
void resolver_free(struct resolver_service *s); // takes NULL; its fibers have ended
