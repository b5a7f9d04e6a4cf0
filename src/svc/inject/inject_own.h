// inject_own: how a message of our own comes into the queue: whom its recipient stands for, its content in pieces; and
// where nobody waits for it, tries until the queue has it, for a day: what is on its way when this process dies is
// lost.
#pragma once

#include "core/config/config.h"
#include "core/queue/envelope.h"
#include "rt/world.h"
#include "svc/peer.h"

struct inject_own {
    struct world *world;
    const struct config *config;
    struct fiber_group *group;
    struct peer *queue, *lookup;
    uint32_t counter; // of queue ids
};

// The recipient itself, or who it is where its domain is ours; in `arena`. Permanent when nobody is of that name.
FIBER_FN MUST_CHECK bool inject_own_address(struct inject_own *o, struct slice recipient, struct arena *arena,
                                            struct envelope *env, struct err *e);

// True when it is durable.
FIBER_FN MUST_CHECK bool inject_own_submit(struct inject_own *o, struct link *queue, const struct envelope *env,
                                           struct slice content, uint64_t *id, struct err *e);

// A message that nobody waits for.
struct inject_errand {
    uint32_t flags; // of its envelope
    bool insists;   // tries again as well where nobody is of that name
    struct slice sender, recipient, content;
    struct slice subject; // for `end`
    // What came of it: `e` is NULL when it is queued. The last that is done with it.
    void (*end)(void *service, const struct inject_errand *m, struct slice queue_id, const struct err *e);
    void *service;
};

// Copies it. Ends it at once where there is no room for it.
void inject_own_run(struct inject_own *o, const struct inject_errand *m);
