// peer: a service's link to another process, shared by its fibers, and replaced when that process starts again. Each
// link has a reader fiber; it lives as long as the reader or a fiber that holds it.
#pragma once

#include "rt/link.h"

struct peer;

// Starts with the reader's hold; what a fiber keeps over a wait, it holds.
struct peer_link {
    struct link *link;
    struct peer *peer;
    size_t holds;
};

struct peer_link *peer_hold(struct peer_link *l);
void peer_drop(struct peer_link *l); // takes NULL

// Within the service, which outlives every fiber of `group`. Zeroed but for the first three is valid.
struct peer {
    struct fiber_group *group;
    // Each frame that is no answer to peer_call; on the reader's fiber, the payload valid until it waits. It may break
    // the link.
    void (*handle)(void *service, struct peer_link *from, const struct link_frame *frame);
    void *service;
    struct peer_link *now; // the latest that is up, or NULL
    struct fiber_cond changed;
};

// Takes the link and spawns its reader.
void peer_attach(struct peer *p, struct link *link);

// Whether there is a link now, and it isn't broken.
bool peer_is_up(const struct peer *p);

// The latest link that is up, held for the caller; waits for one until the deadline. NULL: `e`. For a request that must
// not be made twice.
FIBER_FN struct peer_link *peer_wait(struct peer *p, struct mono deadline, struct err *e);

// As link_call, on the latest link. Where there is none, or it breaks, waits for the next one and asks again until the
// deadline: for questions that may be asked twice.
FIBER_FN MUST_CHECK bool peer_call(struct peer *p, enum link_type type, struct slice payload, struct mono deadline,
                                   enum link_type *reply_type, struct buf *reply, struct err *e);
