// context: switching between stacks. Assembly for x86-64 and aarch64, makecontext(3) elsewhere.
#pragma once

#include <stddef.h>

// Where a stopped stack goes on.
struct context {
    void *sp; // lowest byte that is in use, while stopped
    void *extra; // of the portable form
};

// Prepares `c` so that the first switch to it calls `entry(arg)` on the stack that ends at `end`; `entry` never returns.
void context_make(struct context *c, char *base, char *end, void (*entry)(void *arg), void *arg);

// Stops here, keeping the place in `from`, and goes on at `to`.
void context_switch(struct context *from, struct context *to);

// What context_make took besides the stack.
void context_done(struct context *c);
