// fiber: spawning, parking, waking and ending of stackful fibers. A fiber's own record lies at the top of its stack, so
// that an idle one touches a single page.
#include "rt/fiber/fiber.h"

#include "rt/fiber/loop_inside.h"
#include "rt/sanitizer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { TRIM_AFTER_MS = 50 }; // a fiber that is parked that long gives its unused stack pages back

enum fiber_state { FIBER_STATE_READY, FIBER_STATE_RUNNING, FIBER_STATE_PARKED, FIBER_STATE_ENDED };

struct fiber {
    struct context context;
    struct loop_task resume;
    struct list group_entry;
    struct list parked_entry;
    struct list cond_entry;
    struct loop_timer timer; // lazy: may fire before the deadline, and is then set again
    struct mono deadline;
    struct mono parked_at;
    struct fiber_group *group;
    const char *name;
    void (*body)(void *arg);
    void *arg;
    struct stack stack;
    void *fake_stack; // of the address sanitizer, while parked
    enum fiber_state state;
    enum fiber_wake reason;
};

// The one per-thread fact: which fiber runs. A process has one thread of control.
static _Thread_local struct loop *current;

struct fiber *fiber_self(void) { return current ? current->running : NULL; }

struct loop *fiber_loop(void) {
    assert(current && current->running);
    return current;
}

bool fiber_cancelled(void) { return fiber_self() && fiber_self()->group->cancelled; }

void fiber_group_init(struct fiber_group *g, struct loop *loop, const char *name) {
    *g = (struct fiber_group){.loop = loop, .name = name};
    list_init(&g->fibers);
    list_init(&g->joiners);
}

static void make_ready(struct fiber *f, enum fiber_wake reason) {
    if (f->state != FIBER_STATE_PARKED)
        return;
    f->state = FIBER_STATE_READY;
    f->reason = reason;
    list_remove(&f->parked_entry);
    list_remove(&f->cond_entry);
    loop_ready(f->group->loop, &f->resume);
}

void fiber_wake(struct fiber *f) { make_ready(f, FIBER_WOKEN); }

void fiber_group_cancel(struct fiber_group *g) {
    g->cancelled = true;
    LIST_EACH(at, &g->fibers) make_ready(LIST_ENTRY(at, struct fiber, group_entry), FIBER_CANCELLED);
}

static void on_timer(struct loop_timer *t) {
    struct fiber *f = LIST_ENTRY(t, struct fiber, timer);
    struct loop *loop = f->group->loop;
    if (f->state != FIBER_STATE_PARKED)
        return;
    if (mono_before(loop->now, f->deadline))
        loop_timer_set(loop, t, f->deadline);
    else
        make_ready(f, FIBER_TIMEOUT);
}

static void to_fiber(struct fiber *f) {
    struct loop *loop = f->group->loop;
    struct loop *outer = current;
    void *fake = NULL;
    assert(!loop->running);
    f->state = FIBER_STATE_RUNNING;
    loop->running = f;
    current = loop;
    sanitizer_switch_begin(&fake, f->stack.base, stack_size());
    context_switch(&loop->main, &f->context);
    sanitizer_switch_end(fake, NULL, NULL);
    loop->running = NULL;
    current = outer;
}

static void to_loop(struct fiber *f) {
    struct loop *loop = f->group->loop;
    bool ended = f->state == FIBER_STATE_ENDED;
    sanitizer_switch_begin(ended ? NULL : &f->fake_stack, loop->main_stack, loop->main_stack_n);
    context_switch(&f->context, &loop->main);
    sanitizer_switch_end(f->fake_stack, &loop->main_stack, &loop->main_stack_n);
}

static void fiber_main(void *arg) {
    struct fiber *f = arg;
    sanitizer_switch_end(NULL, &f->group->loop->main_stack, &f->group->loop->main_stack_n);
    f->body(f->arg);
    f->state = FIBER_STATE_ENDED;
    to_loop(f);
    abort(); // an ended fiber never runs again
}

// On the loop's own stack: the fiber's may go.
static void bury(struct fiber *f) {
    struct fiber_group *group = f->group;
    struct loop *loop = group->loop;
    loop_timer_stop(loop, &f->timer);
    list_remove(&f->group_entry);
    group->n--;
    loop->fibers--;
    context_done(&f->context);
    stack_give(&loop->stacks, f->stack);
    for (struct list *at = list_shift(&group->joiners); at; at = list_shift(&group->joiners))
        make_ready(LIST_ENTRY(at, struct fiber, cond_entry), FIBER_WOKEN);
}

static void resume(struct loop_task *task) {
    struct fiber *f = LIST_ENTRY(task, struct fiber, resume);
    to_fiber(f);
    if (f->state == FIBER_STATE_ENDED)
        bury(f);
}

bool fiber_spawn(struct fiber_group *g, const char *name, void (*body)(void *arg), void *arg, struct err *e) {
    if (g->cancelled)
        return err_set(e, ERR_CANCELLED, "%s is stopping", g->name);
    struct stack stack;
    if (!stack_take(&g->loop->stacks, &stack))
        return err_sys(e, errno, "no stack for another fiber");
    char *end = stack.base + stack_size();
    size_t bytes = (sizeof(struct fiber) + 63) / 64 * 64;
    struct fiber *f = (struct fiber *)(void *)(end - bytes);
    *f = (struct fiber){.group = g, .name = name, .body = body, .arg = arg, .stack = stack};
    f->resume.run = resume;
    f->timer.fire = on_timer;
    context_make(&f->context, stack.base, end - bytes, fiber_main, f);
    list_append(&g->fibers, &f->group_entry);
    g->n++;
    g->loop->fibers++;
    loop_ready(g->loop, &f->resume);
    return true;
}

static void set_deadline(struct fiber *f, struct mono deadline) {
    f->deadline = deadline;
    if (deadline.ns != INT64_MAX && (!heap_has(&f->timer.entry) || deadline.ns < f->timer.entry.key))
        loop_timer_set(f->group->loop, &f->timer, deadline);
}

static enum fiber_wake park_uncancelled(struct fiber *f, struct mono deadline) {
    struct loop *loop = f->group->loop;
    set_deadline(f, deadline);
    f->state = FIBER_STATE_PARKED;
    f->parked_at = loop->now;
    list_append(&loop->parked, &f->parked_entry);
    if (!loop->fake && !heap_has(&loop->trim.entry))
        loop_timer_set(loop, &loop->trim, loop_in_ms(loop, TRIM_AFTER_MS));
    to_loop(f);
    return f->reason;
}

enum fiber_wake fiber_park(struct mono deadline) {
    struct fiber *f = fiber_self();
    assert(f);
    if (f->group->cancelled) {
        list_remove(&f->cond_entry);
        return FIBER_CANCELLED;
    }
    return park_uncancelled(f, deadline);
}

bool fiber_park_err(struct mono deadline, const char *what, struct err *e) {
    switch (fiber_park(deadline)) {
    case FIBER_WOKEN:
        return true;
    case FIBER_TIMEOUT:
        return err_set(e, ERR_TIMEOUT, "timed out %s", what);
    default:
        return err_set(e, ERR_CANCELLED, "stopped %s", what);
    }
}

void fiber_yield(void) {
    struct fiber *f = fiber_self();
    assert(f);
    f->state = FIBER_STATE_READY;
    loop_ready(f->group->loop, &f->resume);
    to_loop(f);
}

bool fiber_sleep(int64_t ms) {
    struct mono until = loop_in_ms(fiber_loop(), ms);
    enum fiber_wake w;
    while ((w = fiber_park(until)) == FIBER_WOKEN)
        ;
    return w == FIBER_TIMEOUT;
}

void fiber_group_join(struct fiber_group *g) {
    struct fiber *f = fiber_self();
    size_t self = f->group == g ? 1 : 0;
    while (g->n > self) {
        list_append(&g->joiners, &f->cond_entry);
        park_uncancelled(f, MONO_NEVER);
    }
}

enum fiber_wake fiber_cond_wait(struct fiber_cond *c, struct mono deadline) {
    if (!c->waiters.next)
        list_init(&c->waiters);
    list_append(&c->waiters, &fiber_self()->cond_entry);
    return fiber_park(deadline);
}

void fiber_cond_wake_one(struct fiber_cond *c) {
    if (c->waiters.next && !list_empty(&c->waiters))
        fiber_wake(LIST_ENTRY(c->waiters.next, struct fiber, cond_entry));
}

void fiber_cond_wake_all(struct fiber_cond *c) {
    while (c->waiters.next && !list_empty(&c->waiters))
        fiber_cond_wake_one(c);
}

static void trim_parked(struct loop_timer *t) {
    struct loop *loop = LIST_ENTRY(t, struct loop, trim);
    LIST_EACH(at, &loop->parked) {
        struct fiber *f = LIST_ENTRY(at, struct fiber, parked_entry);
        if (mono_ms_between(f->parked_at, loop->now) < TRIM_AFTER_MS)
            break;
        list_remove(at);
        stack_trim(f->stack.base, f->context.sp);
    }
    if (!list_empty(&loop->parked))
        loop_timer_set(loop, t, loop_in_ms(loop, TRIM_AFTER_MS));
}

void fiber_loop_init(struct loop *loop) {
    stack_pool_init(&loop->stacks);
    list_init(&loop->parked);
    loop->trim.fire = trim_parked;
}

void fiber_loop_done(struct loop *loop) {
    assert(loop->fibers == 0);
    loop_timer_stop(loop, &loop->trim);
    stack_pool_done(&loop->stacks);
    context_done(&loop->main);
}
