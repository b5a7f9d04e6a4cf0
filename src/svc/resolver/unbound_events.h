// unbound_events: libunbound's sockets and timers on our loop, by its pluggable event interface. Its callbacks run from
// tasks and timers of the loop, on the process's own stack: they need more of it than a fiber has.
#pragma once

#include "rt/fiber/loop.h"

struct ub_event_base;

struct ub_event_base *unbound_events_new(struct loop *loop);

// After ub_ctx_delete of every context that used it.
void unbound_events_free(struct ub_event_base *base);
