// relay_pool: connections to next hops that are kept a little while for the next message to the same destination.
#pragma once

#include "base/map.h"
#include "rt/fiber/loop.h"
#include "svc/relay/relay_session.h"

enum {
    RELAY_POOL_MAX = 500, // idle connections; the one that waited longest makes room
    RELAY_POOL_IDLE_MS = 5 * MS_SECOND,
    RELAY_POOL_MESSAGES = 1000, // a connection's, then it is ended
};

struct relay_pool {
    struct fiber_group *group; // its fibers say goodbye
    struct map places;         // of destinations
    struct list idle;          // sessions, the one that waited longest first
    size_t n;
    struct loop_timer timer;
    bool closing; // nothing is kept any more
};

void relay_pool_init(struct relay_pool *p, struct fiber_group *group, struct hash_key key);

// Closes what is left without a word.
void relay_pool_done(struct relay_pool *p);

// The session used last that goes to `destination` and still looks alive, or NULL. It is the caller's.
struct relay_session *relay_pool_take(struct relay_pool *p, struct slice destination);

// Takes a session that stands between two messages; it may be one that broke. What can't be kept is ended.
void relay_pool_give(struct relay_pool *p, struct slice destination, struct relay_session *s);

// Takes a session that shall not be used again: a fiber sends QUIT where that makes sense.
void relay_pool_end(struct relay_pool *p, struct relay_session *s);

// Ends all that is idle, and keeps nothing any more.
void relay_pool_close(struct relay_pool *p);
