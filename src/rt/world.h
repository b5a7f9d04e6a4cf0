// world: what a service is given of the outside, so that the same code runs as a process and in the simulator.
#pragma once

#include "base/when.h"
#include "rt/disk/disk.h"
#include "rt/fiber/loop.h"
#include "rt/net.h"

struct journal;

struct world {
    struct loop *loop;
    struct journal *journal;
    struct net *net;   // NULL where the role may not connect
    struct disk *disk; // NULL where the role has no files
    const struct world_ops *ops;
    void *ops_arg;
};

struct world_ops {
    struct wall (*wall)(void *arg);
    void (*random)(void *arg, void *to, size_t n); // unpredictable in real life, seeded in the simulator
};

static inline struct wall world_wall(const struct world *w) { return w->ops->wall(w->ops_arg); }
static inline void world_random(const struct world *w, void *to, size_t n) { w->ops->random(w->ops_arg, to, n); }
uint64_t world_random_u64(const struct world *w);

// Wall clock and getrandom(2) of this machine.
extern const struct world_ops world_kernel_ops;
