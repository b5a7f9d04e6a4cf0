// loop_inside: what loop.c and fiber.c share, and nobody else.
#pragma once

#include "rt/fiber/context.h"
#include "rt/fiber/loop.h"
#include "rt/fiber/stack.h"

struct loop {
    struct list ready;   // loop_task: run in this turn or the next
    struct list tasks;   // loop_task: run before the loop waits
    struct heap timers;  // loop_timer
    struct mono now;
    int epoll;           // -1 in a fake loop
    bool fake, stopping;
    size_t fibers;       // that have not ended
    void (*idle)(void *arg);
    void *idle_arg;
    int64_t longest_turn_ns;
    struct seed *shuffle; // NULL: first come, first served

    // fiber.c's
    struct stack_pool stacks;
    struct context main; // of loop_run's caller, while a fiber runs
    struct fiber *running;
    struct list parked;  // fibers by the time they parked, until trimmed
    struct loop_timer trim;
    const void *main_stack; // for the sanitizers
    size_t main_stack_n;
};

// Runs in this turn, or the next when the turn has begun.
void loop_ready(struct loop *loop, struct loop_task *task);

void fiber_loop_init(struct loop *loop);
void fiber_loop_done(struct loop *loop);
