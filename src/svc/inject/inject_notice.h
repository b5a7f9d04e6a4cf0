// inject_notice: NOTICE becomes a message to the administrator. Whoever sent it doesn't wait: each is tried until the
// queue has it, for a day; what is on its way when this process dies is lost.
#pragma once

#include "core/config.h"
#include "rt/world.h"
#include "svc/inject/inject.h"
#include "svc/peer.h"

enum { INJECT_NOTICES_MAX = 100 }; // at once; one more is dropped

struct inject_notices {
    struct world *world;
    const struct config *config;
    struct fiber_group *group;
    struct peer *queue, *lookup;
    uint32_t *counter; // of queue ids
    size_t n;
};

void inject_notice_begin(struct inject_notices *s, struct peer_link *from, const struct link_frame *frame);
