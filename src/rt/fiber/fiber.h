// fiber: stackful fibers, so that a session is straight-line code. One thread; a fiber runs until it waits.
//
// A function that may suspend is declared FIBER_FN, and only such a function calls one. After any wait, look again at
// what others could have changed. Every wait has a deadline. Cancelling a group makes every present and later wait of
// its fibers return FIBER_CANCELLED at once; the fibers unwind by themselves: a live stack is never freed.
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "base/when.h"

#define FIBER_FN // may suspend the calling fiber

struct fiber;
struct loop;

enum { FIBER_STACK = 64 * 1024 }; // bytes of a stack, its guard page included; larger under sanitizers

// The fibers of one scope: a service (a process, in real life) or what a session started. A fiber may belong to the
// group of its parent's scope only while that scope joins it before it ends.
struct fiber_group {
    struct loop *loop;
    const char *name;
    struct list fibers;
    struct list joiners;
    size_t n; // fibers that have not ended
    bool cancelled;
};

void fiber_group_init(struct fiber_group *g, struct loop *loop, const char *name);
void fiber_group_cancel(struct fiber_group *g);

// Waits until every fiber of `g` (but the caller itself) has ended. Not ended by cancellation: cancelled fibers end.
FIBER_FN void fiber_group_join(struct fiber_group *g);

// Makes a fiber that begins to run at the loop's next turn. `name` is kept as a pointer. False when no stack could be
// had (a temporary error); in a cancelled group, cancelled.
MUST_CHECK bool fiber_spawn(struct fiber_group *g, const char *name, void (*body)(void *arg), void *arg,
                            struct err *e);

enum fiber_wake { FIBER_WOKEN, FIBER_TIMEOUT, FIBER_CANCELLED };

// Waits until fiber_wake(), the deadline, or cancellation. Wakes without a reason are possible: check in a loop.
FIBER_FN enum fiber_wake fiber_park(struct mono deadline);

// As fiber_park, but gives false and says why in `e` unless it was woken. `what` as "waiting for a reply".
FIBER_FN bool fiber_park_err(struct mono deadline, const char *what, struct err *e);

// Lets every other fiber that is ready run once.
FIBER_FN void fiber_yield(void);

// False when cancelled.
FIBER_FN bool fiber_sleep(int64_t ms);

// Makes a parked fiber ready; nothing when it is not parked.
void fiber_wake(struct fiber *f);

struct fiber *fiber_self(void); // NULL outside of any fiber
bool fiber_cancelled(void);     // of the running fiber's group
struct loop *fiber_loop(void);  // of the running fiber

// Fibers that wait for something to change.
struct fiber_cond {
    struct list waiters; // zeroed is valid
};

FIBER_FN enum fiber_wake fiber_cond_wait(struct fiber_cond *c, struct mono deadline);
void fiber_cond_wake_all(struct fiber_cond *c);
void fiber_cond_wake_one(struct fiber_cond *c);
