// stack: memory for fibers' stacks, with a guard page below each, from slabs that are mapped once.
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

enum { STACK_WARM = 64 }; // free stacks whose pages stay, since the next session comes soon

struct stack_slab;

struct stack {
    struct stack_slab *slab;
    char *base; // lowest usable byte
};

struct stack_pool {
    struct list slabs; // those with a free stack first
    struct stack warm[STACK_WARM];
    size_t warm_n;
};

// Usable bytes of each stack (the guard page is not among them).
size_t stack_size(void);

void stack_pool_init(struct stack_pool *p);
void stack_pool_done(struct stack_pool *p); // every stack has been given back

// False (errno) when the system has no more.
bool stack_take(struct stack_pool *p, struct stack *out);
void stack_give(struct stack_pool *p, struct stack s);

// Gives the pages between `base` and `sp` back to the system: nothing below a parked fiber's stack pointer is wanted.
void stack_trim(char *base, const char *sp);
