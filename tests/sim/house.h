// house: a whole server in the simulator: every process but master and control, with real services, real links, a disk
// and a network that fail. What master does (start, wire, start again) is done here the same way.
#pragma once

#include "core/config/config.h"
#include "rt/fiber/fiber.h"
#include "rt/sim/sim_disk.h"
#include "rt/sim/sim_net.h"
#include "rt/world.h"
#include "wire/link_frame.h" // enum role

struct house;

struct house_setup {
    struct loop *loop;
    struct seed *seed;
    struct sim_net *net;
    struct netaddr ip;
    const char *name;
    const char *configuration; // text
    const char *const *dns;    // lines for resolver_table_add, ends with NULL
    int64_t *clock_offset_ms;  // added to the wall clock; clock steps change it
    bool trace;                // events go to standard output
};

struct house *house_new(const struct house_setup *setup);

// Starts every process that does not run. False: the queue could not start; its words are in `e`.
FIBER_FN bool house_up(struct house *h, struct err *e);

// kill -9 of one process; it stays down until house_up.
FIBER_FN void house_kill(struct house *h, enum role role);

// Power fails: all processes end, and the disks keep what they keep.
FIBER_FN void house_crash(struct house *h);

// The same in the middle of the `operations`th change to the disk of the queue (or of mailboxes) from now: no process
// says a word more. Then house_fell() is true, and house_crash is owed.
void house_fall_at(struct house *h, bool mail, uint64_t operations);
bool house_fell(const struct house *h);

// As master stops a server: sessions and workers first, the queue last.
FIBER_FN void house_stop(struct house *h);
void house_free(struct house *h); // nothing of it runs

// Prints the events that wait, in a trace.
void house_flush(struct house *h);

struct sim_disk *house_state_disk(struct house *h);
struct sim_disk *house_mail_disk(struct house *h);
