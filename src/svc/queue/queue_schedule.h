// queue_schedule: who is tried next. Groups that are due wait in their destination's list; destinations that may run
// take turns, one attempt each, so that none holds up another. A destination's window says how many attempts it gets at
// once; a dead one is asked by single attempts after growing waits. Pure but for memory: times are handed in.
//
//     READY -> ACTIVE -> DONE, DEFERRED (until `next`), or READY again when the worker died
//     HELD until released
#pragma once

#include "base/seed.h"
#include "core/queue/plan.h"
#include "core/route/route.h"
#include "svc/queue/queue_index.h"
#include "wire/link_frame.h"

enum queue_target {
    QUEUE_TARGET_MX,
    QUEUE_TARGET_HOST,
    QUEUE_TARGET_DELIVER,
    QUEUE_TARGET_NOTIFY,
    QUEUE_TARGET_HOLD,
    QUEUE_TARGET_BAD
};

struct queue_destination {
    struct list turn;  // in the ring, or in the list of those that wait for a worker
    struct list ready; // groups
    size_t groups;     // all that refer to it
    uint32_t active;
    struct heap_entry back; // dead: when to ask again
    struct wall back_at;    // the same for people
    bool blocked;           // dead, and not to be asked yet
    uint32_t backs;         // in a row
    struct plan_window window;
    enum queue_target target;
    enum role role;
    uint16_t port;
    struct slice name, host;     // behind the struct
    struct queue_reason *reason; // why the site failed last
    const void *worker;          // that had its last attempt: connections are there
    uint64_t mark;               // of the message whose groups are being made
    uint32_t mark_group, mark_recipients;
    char text[];
};

struct queue_schedule {
    const struct config *config;
    struct queue_index *index;
    struct map destinations;
    struct list ring;                // of those that may run
    struct list waiting[ROLE_COUNT]; // may run, but for a worker
    uint32_t active[ROLE_COUNT];
    struct heap due, backs;
    uint64_t mark;
    uint64_t counts[MESSAGE_RECIPIENT_DONE + 1]; // open recipients by their group's state
    struct queue_destination *notify;
    struct seed random;
};

void queue_schedule_init(struct queue_schedule *s, const struct config *c, struct queue_index *x,
                         const struct world *w);
void queue_schedule_done(struct queue_schedule *s); // the index is empty

// The destination of a recipient, made if need be; held by nobody yet. `arena` is for scratch.
struct queue_destination *queue_schedule_find(struct queue_schedule *s, struct slice address, struct arena *arena);
void queue_schedule_drop_unused(struct queue_schedule *s, struct queue_destination *d);

// Where released mail of a HOLD route goes: by the route that would be its own without any `hold`.
struct queue_destination *queue_schedule_released(struct queue_schedule *s, const struct queue_destination *held);

void queue_schedule_assign(struct queue_group *g, struct queue_destination *d); // NULL: leaves the one it has
void queue_schedule_set_state(struct queue_schedule *s, struct queue_group *g, enum message_recipient_state state);
void queue_schedule_close_recipient(struct queue_schedule *s, struct queue_group *g); // one OPEN less

// Out of every list and heap; DONE, without a destination.
void queue_schedule_forget(struct queue_schedule *s, struct queue_group *g);

// `expires` is when the message gives up, for a destination that is dead.
void queue_schedule_ready(struct queue_schedule *s, struct queue_group *g, struct mono expires);
void queue_schedule_defer(struct queue_schedule *s, struct queue_group *g, struct wall next, struct mono at);

// The group whose turn it is, made ACTIVE; NULL when there is none. `limit` attempts a role.
struct queue_group *queue_schedule_next(struct queue_schedule *s, uint32_t limit);

// No worker of that role has room: the group is READY again, first in its list, and waits for queue_schedule_resume.
void queue_schedule_unstart(struct queue_schedule *s, struct queue_group *g);
void queue_schedule_resume(struct queue_schedule *s, enum role role, bool all);

// An attempt is over; the group's state is set by the caller next. `wait_ms` is how long a dead site is left alone.
void queue_schedule_ended(struct queue_schedule *s, struct queue_group *g, enum message_site site);

// Destinations that have become dead are to be blocked by the caller, who knows the time.
static inline bool queue_schedule_wants_block(const struct queue_destination *d) {
    return d->window.dead && !d->blocked && d->active == 0;
}
void queue_schedule_block(struct queue_schedule *s, struct queue_destination *d, struct wall until, struct mono at);
void queue_schedule_unblock(struct queue_schedule *s, struct queue_destination *d);
int64_t queue_schedule_wait(struct queue_schedule *s, const struct queue_destination *d, uint32_t attempts);

// The earliest of both heaps.
struct mono queue_schedule_when(const struct queue_schedule *s);
