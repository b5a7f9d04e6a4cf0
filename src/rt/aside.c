// aside: a task of the loop, which runs on the stack that called loop_run.
#include "rt/aside.h"

#include "rt/fiber/loop.h"

struct aside {
    struct loop_task task;
    void (*work)(void *arg);
    void *arg;
    struct fiber *caller;
    bool done;
};

static void run(struct loop_task *task) {
    struct aside *a = LIST_ENTRY(task, struct aside, task);
    a->work(a->arg);
    a->done = true;
    fiber_wake(a->caller);
}

bool aside_run(void (*work)(void *arg), void *arg) {
    struct aside a = {.task = {.run = run}, .work = work, .arg = arg, .caller = fiber_self()};
    loop_task_set(fiber_loop(), &a.task);
    while (!a.done)
        if (fiber_park(MONO_NEVER) == FIBER_CANCELLED && !a.done) {
            loop_task_stop(&a.task);
            return false;
        }
    return true;
}
