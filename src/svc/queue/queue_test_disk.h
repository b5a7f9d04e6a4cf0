// queue_test_disk: for tests: a disk in memory that fails exactly where it is told to.
#pragma once

#include "rt/sim/sim_disk.h"
#include "rt/world.h"

struct queue_test_disk {
    struct disk base;
    struct seed seed;
    struct sim_disk *sim;
    struct disk *mount;
    size_t operations;   // writes, syncs and changes of names so far
    size_t fail_at;      // the operation (from 1) that fails; 0: none
    size_t fail_n;       // as many from there on
    int fail_sys;        // with this errno
    bool only_syncs;     // of files
    size_t kill_at;      // the process dies before this one
    bool cannot_allocate;
    size_t allocations; // that succeeded
    uint64_t free_bytes; // that it tells
};

// A world whose clock is `wall`, counted on by the caller; randomness from the disk's seed.
struct queue_test_world {
    struct queue_test_disk disk;
    struct world world;
    struct wall wall;
};

void queue_test_world_init(struct queue_test_world *w, uint64_t seed);
void queue_test_world_done(struct queue_test_world *w);

// The process is dead, and starts again; with `power` lost, what was not synced is gone or torn.
void queue_test_world_restart(struct queue_test_world *w, bool power);

// Flips a bit of a file for good; false when it doesn't reach there.
bool queue_test_flip(struct queue_test_world *w, const char *name, uint64_t offset);
bool queue_test_overwrite(struct queue_test_world *w, const char *name, uint64_t offset, const void *bytes, size_t n);
size_t queue_test_count(struct queue_test_world *w, const char *directory, const char *prefix);
