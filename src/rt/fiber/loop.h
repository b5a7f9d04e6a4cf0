// loop: turns ready fibers, timers and, in real life, epoll. In the simulator time is fake: when nothing is ready the
// clock jumps to the next timer.
#pragma once

#include "base/heap.h"
#include "base/list.h"
#include "base/when.h"

struct loop;
struct fiber;

// `fake` gives a loop without epoll whose clock stands still between timers.
struct loop *loop_new(bool fake);
void loop_free(struct loop *loop);

// What becomes ready runs in an order by chance from now on, where it would be first come, first served: the simulator
// finds what leans on that.
struct seed;
void loop_shuffle(struct loop *loop, struct seed *seed);

// Runs until loop_stop(), or until no fiber is left; a fake loop also ends when nothing could ever wake one.
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

// Monotonic time, read once a turn.
struct mono loop_now(const struct loop *loop);
struct mono loop_in_ms(const struct loop *loop, int64_t ms); // a deadline

struct loop_timer {
    struct heap_entry entry;
    void (*fire)(struct loop_timer *t); // must not suspend; may set the timer again
};

void loop_timer_set(struct loop *loop, struct loop_timer *t, struct mono at);
void loop_timer_stop(struct loop *loop, struct loop_timer *t);

// Work that is done once, after every ready fiber has run and before the loop waits: flushing, group commits.
// May make fibers ready. Zeroed but for `run` is valid. Setting it twice before it runs is once.
struct loop_task {
    struct list entry;
    void (*run)(struct loop_task *task);
};

void loop_task_set(struct loop *loop, struct loop_task *task);
void loop_task_stop(struct loop_task *task);

// Last of all before a wait, each turn; for the journal's flush. One per loop.
void loop_on_idle(struct loop *loop, void (*run)(void *arg), void *arg);

// A descriptor in epoll, edge-triggered. Flags are set by the loop and cleared by whoever met EAGAIN.
struct loop_fd {
    int fd;
    bool readable, writable, hangup;
    struct fiber *reader, *writer;           // woken when the flag is set; at most one each
    struct loop_task *write_task;            // set and forgotten when the flag is set
    void (*on_event)(struct loop_fd *watch); // instead, when set; must not suspend
};

// Errors are our own mistakes or a full system: false with errno set.
bool loop_fd_add(struct loop *loop, struct loop_fd *watch, int fd);
void loop_fd_remove(struct loop *loop, struct loop_fd *watch); // does not close it

// The longest turn so far in milliseconds, for the watchdog metric; reading resets it.
int64_t loop_longest_turn_ms(struct loop *loop);
size_t loop_fibers(const struct loop *loop);
