// stack: memory for fibers' stacks, with a guard page below each, from slabs that are mapped once.
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

struct stack {
    struct list entry; // in the pool's free list, while free; lies in the stack itself
};

struct stack_pool {
    struct list free;
    struct list slabs;
    size_t free_n;
    size_t used_n;
};

// Usable bytes of each stack (the guard page is not among them).
size_t stack_size(void);

void stack_pool_init(struct stack_pool *p);
void stack_pool_done(struct stack_pool *p); // every stack has been given back

// Lowest usable byte, or NULL (errno) when the system has no more.
char *stack_take(struct stack_pool *p);
void stack_give(struct stack_pool *p, char *base);

// Gives the pages between `base` and `sp` back to the system: nothing below a parked fiber's stack pointer is wanted.
void stack_trim(char *base, const char *sp);
