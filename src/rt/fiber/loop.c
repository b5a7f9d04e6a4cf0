// loop: a turn runs what is ready, then the tasks, then waits for the kernel (or moves the fake clock) and makes ready
// what that brought.
#include "rt/fiber/loop.h"

#include "base/mem.h"
#include "base/seed.h"
#include "rt/fiber/fiber.h"
#include "rt/fiber/loop_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 256 };

static struct mono kernel_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct mono){(int64_t)t.tv_sec * 1000000000 + t.tv_nsec};
}

struct loop *loop_new(bool fake) {
    struct loop *loop = MEM_NEW(struct loop);
    list_init(&loop->ready);
    list_init(&loop->tasks);
    loop->fake = fake;
    loop->epoll = fake ? -1 : epoll_create1(EPOLL_CLOEXEC);
    loop->now = fake ? (struct mono){1000000000} : kernel_now();
    fiber_loop_init(loop);
    return loop;
}

void loop_free(struct loop *loop) {
    if (!loop)
        return;
    fiber_loop_done(loop);
    heap_done(&loop->timers);
    if (loop->epoll >= 0)
        close(loop->epoll);
    free(loop);
}

void loop_stop(struct loop *loop) { loop->stopping = true; }
struct mono loop_now(const struct loop *loop) { return loop->now; }
struct mono loop_in_ms(const struct loop *loop, int64_t ms) { return mono_add_ms(loop->now, ms); }
size_t loop_fibers(const struct loop *loop) { return loop->fibers; }

void loop_shuffle(struct loop *loop, struct seed *seed) { loop->shuffle = seed; }

void loop_ready(struct loop *loop, struct loop_task *task) {
    if (list_linked(&task->entry))
        return;
    if (loop->shuffle && seed_chance(loop->shuffle, 500))
        list_prepend(&loop->ready, &task->entry);
    else
        list_append(&loop->ready, &task->entry);
}

void loop_task_set(struct loop *loop, struct loop_task *task) {
    if (!list_linked(&task->entry))
        list_append(&loop->tasks, &task->entry);
}

void loop_task_stop(struct loop_task *task) { list_remove(&task->entry); }

void loop_on_idle(struct loop *loop, void (*run)(void *arg), void *arg) {
    loop->idle = run;
    loop->idle_arg = arg;
}

void loop_timer_set(struct loop *loop, struct loop_timer *t, struct mono at) {
    if (at.ns == INT64_MAX)
        heap_remove(&loop->timers, &t->entry);
    else
        heap_set(&loop->timers, &t->entry, at.ns);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *t) { heap_remove(&loop->timers, &t->entry); }

// Runs what is on the list now; what is added meanwhile waits for the next turn.
static void run_list(struct list *from) {
    struct list batch;
    list_init(&batch);
    if (list_empty(from))
        return;
    batch = *from;
    batch.next->prev = batch.prev->next = &batch;
    list_init(from);
    for (struct list *at = list_shift(&batch); at; at = list_shift(&batch)) {
        struct loop_task *task = LIST_ENTRY(at, struct loop_task, entry);
        task->run(task);
    }
}

static void fire_timers(struct loop *loop) {
    struct heap_entry *first;
    while ((first = heap_first(&loop->timers)) && first->key <= loop->now.ns) {
        heap_remove(&loop->timers, first);
        struct loop_timer *t = HEAP_ENTRY(first, struct loop_timer, entry);
        t->fire(t);
    }
}

static int wait_ms(const struct loop *loop) {
    if (!list_empty(&loop->ready) || !list_empty(&loop->tasks) || loop->stopping)
        return 0;
    struct heap_entry *first = heap_first(&loop->timers);
    if (!first)
        return -1;
    int64_t ns = first->key - loop->now.ns;
    if (ns <= 0)
        return 0;
    int64_t ms = (ns + 999999) / 1000000;
    return ms > 3600000 ? 3600000 : (int)ms;
}

static void take_event(struct loop *loop, const struct epoll_event *event) {
    struct loop_fd *watch = event->data.ptr;
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        watch->readable = true;
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        watch->writable = true;
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        watch->hangup = true;
    if (watch->on_event) {
        watch->on_event(watch);
        return;
    }
    if (watch->readable && watch->reader)
        fiber_wake(watch->reader);
    if (watch->writable && watch->writer)
        fiber_wake(watch->writer);
    if (watch->writable && watch->write_task) {
        loop_task_set(loop, watch->write_task);
        watch->write_task = NULL;
    }
}

static void wait_kernel(struct loop *loop) {
    struct epoll_event events[EVENTS_A_TURN];
    int n = epoll_wait(loop->epoll, events, EVENTS_A_TURN, wait_ms(loop));
    loop->now = kernel_now();
    for (int i = 0; i < n; i++)
        take_event(loop, &events[i]);
}

// False when nothing could ever happen again.
static bool move_fake_clock(struct loop *loop) {
    if (!list_empty(&loop->ready) || !list_empty(&loop->tasks))
        return true;
    struct heap_entry *first = heap_first(&loop->timers);
    if (!first)
        return false;
    if (first->key > loop->now.ns)
        loop->now.ns = first->key;
    return true;
}

static void note_turn(struct loop *loop) {
    int64_t took = kernel_now().ns - loop->now.ns;
    if (took > loop->longest_turn_ns)
        loop->longest_turn_ns = took;
}

// Waits for what comes next. False when nothing ever will.
static bool next_moment(struct loop *loop) {
    if (loop->fake)
        return move_fake_clock(loop);
    note_turn(loop);
    wait_kernel(loop);
    return true;
}

void loop_run(struct loop *loop) {
    loop->stopping = false;
    while (!loop->stopping && loop->fibers) {
        run_list(&loop->ready);
        run_list(&loop->tasks);
        if (loop->idle)
            loop->idle(loop->idle_arg);
        if (!loop->fibers || !next_moment(loop))
            break;
        fire_timers(loop);
    }
}

int64_t loop_longest_turn_ms(struct loop *loop) {
    int64_t ms = loop->longest_turn_ns / 1000000;
    loop->longest_turn_ns = 0;
    return ms;
}

bool loop_fd_add(struct loop *loop, struct loop_fd *watch, int fd) {
    watch->fd = fd;
    watch->readable = watch->writable = watch->hangup = false;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = watch};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

void loop_fd_remove(struct loop *loop, struct loop_fd *watch) {
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
}
