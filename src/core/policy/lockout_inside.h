// lockout_inside: what lockout remembers; for its own sources.
#pragma once

#include "core/policy/lockout.h"

// Failures within two windows: those of the one before count as far as it still reaches into the last `window` ms.
struct lockout_counter {
    struct bounded_entry entry;
    struct wall start; // of the present window
    uint32_t now, before;
    uint32_t locks;    // in a row
    uint32_t led;      // failures that led to the last lock
    struct wall until; // of the last lock; 0: never locked
    // Of this moment only, never kept: tries that were let and not told of yet, by the half minute in which they began.
    int64_t flight_slot;
    uint32_t flying, flying_before;
};

struct lockout_network {
    struct netaddr_net net;
    struct wall last;
};

struct lockout_known {
    struct bounded_entry entry;
    struct lockout_network nets[LOCKOUT_KNOWN_NETWORKS];
    uint32_t n;
};
