// master_inside: what the sources of master share.
#pragma once

#include "rt/activation.h"
#include "core/keys/ticket_chain.h"
#include "rt/fiber/fiber.h"
#include "rt/journal.h"
#include "rt/link.h"
#include "rt/process.h"
#include "rt/signals.h"
#include "svc/master/master.h"
#include "svc/master/master_status.h"
#include "svc/master/site.h"
#include "svc/master/topology.h"

enum {
    MASTER_GRACE_MS = 5 * 1000,      // for sessions and attempts at a stop
    MASTER_LAST_GRACE_MS = 2 * 1000, // for those who serve the others
    MASTER_RETIRE_MS = 60 * 1000,    // for the old workers at a reload
    MASTER_TABLES_MS = 1000,         // between looks at the tables' files
    MASTER_PING_MS = 5 * 1000,       // between pings of each process
    MASTER_UNANSWERED_MAX = 6,       // pings; then the process hangs, and is killed
    MASTER_STARTS_MAX = 3,           // deaths of one role while we start, before we give up
};

// A process that runs.
struct master_child {
    struct list entry; // master.children
    struct master *master;
    enum role role;
    uint32_t instance;
    struct process process;
    struct loop_fd watch; // of the channel
    enum master_state state;
    struct mono started;
    unsigned unanswered; // pings
    char why[ERR_TEXT];  // what it said before it failed
};

// A place in the house that a process fills, and the next one when that has died.
struct master_slot {
    enum role role;
    uint32_t instance;
    struct master_child *child; // NULL while there is none
    uint64_t restarts;
    uint32_t deaths; // quick ones in a row
    struct mono next_start;
};

struct master_listener {
    struct netaddr at;
    int fd;
};

struct master_slots {
    struct master_slot *slots;
    size_t n;
};

struct master {
    struct loop *loop;
    struct journal *journal;
    const struct master_setup *setup;
    struct site *site;
    int lock;
    int control;                       // the control socket
    struct activation given;           // what systemd listens on for us
    struct master_listener *listeners; // one for each of config.listens
    struct master_slots slots;
    struct list children; // all that run, those that retire included
    struct signals signals;
    struct fiber_cond wake; // something happened to a child, a signal came, or a request
    struct mono next_start; // the earliest of a slot that waits
    struct fiber_group group;
    struct ticket_chain tickets; // of session tickets; for keys
    int64_t tickets_life;        // ms that `tickets` counts in; 0: there is no chain yet
    struct mono started;
    uint64_t reloads;
    bool open;     // sessions may begin: whom they will ask are ready
    bool up;       // every role has been ready once
    bool stopping; // asked to
    bool hurry;    // asked twice
    bool reload;   // asked to
    struct fiber_cond reloaded;
    struct buf reload_mistakes; // why the last reload was refused; empty when it was taken
    struct buf *why;
    bool failed; // the start; `why` says the reason
};

// master_listen.c
MUST_CHECK bool master_prepare(struct master *m, struct buf *why, int *exit_code);
// Sockets that we listen on already and those that were given come before new ones.
MUST_CHECK bool master_bind(struct master *m, const struct site *site, const struct master_listener *old, size_t old_n,
                            struct master_listener **out, struct buf *why);
void master_close_listeners(struct master_listener *l, size_t n, const struct master_listener *kept, size_t kept_n);
void master_listen_text(const struct config_listen *l, struct buf *to);

// master_child.c
void master_make_slots(const struct config *c, struct master_slots *out);
void master_start(struct master *m, struct master_slot *slot);
// Lets smtpd and submission begin: a server that greets is a server that takes mail.
void master_open(struct master *m);
void master_tell_stop(struct master *m, struct master_child *child);
// Takes what signals and children have to say, buries the dead and starts what is due. To be called when the master's
// fiber has waited for anything but master_wait.
void master_tend(struct master *m);
// Tells all processes of these roles (ROLE_BIT) to stop, and waits for the end of all that were told, at most `ms`;
// then kills the rest. Others of these roles, that were started meanwhile, go on.
FIBER_FN void master_end_roles(struct master *m, uint32_t roles, int64_t ms);
FIBER_FN void master_await_end(struct master *m, uint32_t roles, int64_t ms);
FIBER_FN void master_wait(struct master *m, struct mono deadline); // until something happens; then tends

// Puts a new process into the slot; the old one retires.
void master_replace(struct master *m, struct master_slot *slot);

void master_watch_pulse(void *m); // a fiber

// master_tables.c
void master_watch_tables(void *m); // a fiber

// master_control.c
void master_attach_control(struct master *m, int fd);

// master_tickets.c
// What every keys process gets: nothing (false) when no session is to be resumed.
bool master_ticket_chain(struct master *m, struct buf *out);
void master_watch_tickets(void *m); // a fiber: forgets the past

// master_reload.c
FIBER_FN void master_reload(struct master *m);
