// unbound_events: libevent's ways (said again while it lasts) over an edge-triggered loop.
#include "svc/resolver/unbound_events.h"

#include "base/mem.h"
#include "rt/ready.h"

#include <stdlib.h>
#include <unbound-event.h>

enum { CALLS_A_TURN = 16 }; // of one event, then the others have their turn

struct events {
    struct ub_event_base base;
    struct loop *loop;
};

struct event {
    struct ub_event base;
    struct loop *loop;
    int fd; // -1: a timer alone
    short bits;
    void (*callback)(int fd, short bits, void *arg);
    void *arg;
    struct loop_fd watch;
    bool watching, timed;
    struct timeval wait;
    struct loop_timer timer;
    struct loop_task task; // calls back, once the loop is done with its list of descriptors
    bool *gone;            // set when it is freed during its own callback
};

static struct event *of(struct ub_event *e) { return LIST_ENTRY(e, struct event, base); }

static void stop(struct event *e) {
    if (e->watching)
        loop_fd_remove(e->loop, &e->watch);
    e->watching = e->timed = false;
    loop_timer_stop(e->loop, &e->timer);
    loop_task_stop(&e->task);
}

static void set_timer(struct event *e) {
    int64_t ms = (int64_t)e->wait.tv_sec * 1000 + (e->wait.tv_usec + 999) / 1000;
    loop_timer_set(e->loop, &e->timer, loop_in_ms(e->loop, ms));
}

static int start(struct event *e, const struct timeval *wait) {
    e->timed = wait != NULL;
    if (wait) {
        e->wait = *wait;
        set_timer(e);
    } else {
        loop_timer_stop(e->loop, &e->timer);
    }
    if (e->fd < 0 || e->watching)
        return 0;
    e->watching = loop_fd_add(e->loop, &e->watch, e->fd);
    return e->watching ? 0 : -1;
}

// One callback. False when the event is gone or wants no more.
static bool call(struct event *e, short bits) {
    bool gone = false;
    if (!(e->bits & UB_EV_PERSIST))
        stop(e);
    else if (e->timed)
        set_timer(e);
    e->gone = &gone;
    e->callback(e->fd, bits, e->arg);
    if (gone)
        return false;
    e->gone = NULL;
    return e->watching;
}

static void on_task(struct loop_task *task) {
    struct event *e = LIST_ENTRY(task, struct event, task);
    for (int i = 0; i < CALLS_A_TURN; i++) {
        bool can_read, can_write;
        ready_now(e->fd, e->bits & UB_EV_READ, e->bits & UB_EV_WRITE, &can_read, &can_write);
        if (!can_read && !can_write)
            return;
        if (!call(e, (short)((can_read ? UB_EV_READ : 0) | (can_write ? UB_EV_WRITE : 0))))
            return;
    }
    loop_task_set(e->loop, &e->task);
}

static void on_event(struct loop_fd *watch) {
    struct event *e = LIST_ENTRY(watch, struct event, watch);
    loop_task_set(e->loop, &e->task);
}

static void on_timer(struct loop_timer *t) { call(LIST_ENTRY(t, struct event, timer), UB_EV_TIMEOUT); }

// --- what libunbound calls

static void add_bits(struct ub_event *e, short bits) { of(e)->bits |= bits; }
static void del_bits(struct ub_event *e, short bits) { of(e)->bits &= (short)~bits; }
static void set_fd(struct ub_event *e, int fd) { of(e)->fd = fd; }
static int add(struct ub_event *e, struct timeval *wait) { return start(of(e), wait); }

static int del(struct ub_event *e) {
    stop(of(e));
    return 0;
}

static void free_event(struct ub_event *base) {
    struct event *e = of(base);
    stop(e);
    if (e->gone)
        *e->gone = true;
    free(e);
}

static int add_timer(struct ub_event *base, struct ub_event_base *events, void (*callback)(int, short, void *),
                     void *arg, struct timeval *wait) {
    struct event *e = of(base);
    e->callback = callback;
    e->arg = arg;
    return start(e, wait);
}

static int no_signal(struct ub_event *e, struct timeval *wait) { return -1; }
static int no_signal_either(struct ub_event *e) { return -1; }
static void nothing(struct ub_event *e) {}
static void nothing_either(struct ub_event *e, int bits) {}

static struct ub_event_vmt event_calls = {
    .add_bits = add_bits,
    .del_bits = del_bits,
    .set_fd = set_fd,
    .free = free_event,
    .add = add,
    .del = del,
    .add_timer = add_timer,
    .del_timer = del,
    .add_signal = no_signal,
    .del_signal = no_signal_either,
    .winsock_unregister_wsaevent = nothing,
    .winsock_tcp_wouldblock = nothing_either,
};

static struct ub_event *new_event(struct ub_event_base *base, int fd, short bits, void (*callback)(int, short, void *),
                                  void *arg) {
    struct event *e = MEM_NEW(struct event);
    *e = (struct event){
        .base = {UB_EVENT_MAGIC, &event_calls}, .fd = fd, .bits = bits, .callback = callback, .arg = arg};
    e->loop = LIST_ENTRY(base, struct events, base)->loop;
    e->watch.on_event = on_event;
    e->timer.fire = on_timer;
    e->task.run = on_task;
    return &e->base;
}

static void free_base(struct ub_event_base *base) { free(LIST_ENTRY(base, struct events, base)); }
static int no_dispatch(struct ub_event_base *base) { return -1; }
static int no_exit(struct ub_event_base *base, struct timeval *wait) { return -1; }
static struct ub_event *no_new_signal(struct ub_event_base *base, int fd, void (*callback)(int, short, void *),
                                      void *arg) {
    return NULL;
}
static struct ub_event *no_wsaevent(struct ub_event_base *base, void *event, void (*callback)(int, short, void *),
                                    void *arg) {
    return NULL;
}

static struct ub_event_base_vmt base_calls = {
    .free = free_base,
    .dispatch = no_dispatch,
    .loopexit = no_exit,
    .new_event = new_event,
    .new_signal = no_new_signal,
    .winsock_register_wsaevent = no_wsaevent,
};

struct ub_event_base *unbound_events_new(struct loop *loop) {
    struct events *e = MEM_NEW(struct events);
    *e = (struct events){.base = {UB_EVENT_MAGIC, &base_calls}, .loop = loop};
    return &e->base;
}

void unbound_events_free(struct ub_event_base *base) { free_base(base); }
