// stack: slabs of stacks. Guards by MADV_GUARD_INSTALL where the kernel has it (6.13), since each mprotect would split
// a mapping and max_map_count ends that at about 32,000 fibers; by mprotect elsewhere.
#include "rt/stack.h"

#include "base/mem.h"
#include "rt/fiber.h"
#include "rt/sanitizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    PAGE = 4096,
    STACKS_A_SLAB = 64,
    STACKS_KEPT_WARM = 64, // free stacks whose pages stay; the others' go back to the system
    GUARD_INSTALL = 102,   // MADV_GUARD_INSTALL, newer than Debian 12's headers
};

static const size_t stack_bytes = (size_t)FIBER_STACK * SANITIZER_STACK_FACTOR;

struct slab {
    struct list entry;
    char *base;
};

size_t stack_size(void) { return stack_bytes - PAGE; }

void stack_pool_init(struct stack_pool *p) {
    *p = (struct stack_pool){0};
    list_init(&p->free);
    list_init(&p->slabs);
}

static char *usable(char *stack) { return stack + PAGE; }

void stack_pool_done(struct stack_pool *p) {
    for (struct list *at = list_shift(&p->slabs); at; at = list_shift(&p->slabs)) {
        struct slab *slab = LIST_ENTRY(at, struct slab, entry);
        for (size_t i = 0; i < STACKS_A_SLAB; i++)
            sanitizer_forget_root(usable(slab->base + i * stack_bytes), stack_size());
        munmap(slab->base, stack_bytes * STACKS_A_SLAB);
        free(slab);
    }
}

static bool guard(char *page) {
    return madvise(page, PAGE, GUARD_INSTALL) == 0 || mprotect(page, PAGE, PROT_NONE) == 0;
}

static bool add_slab(struct stack_pool *p) {
    size_t bytes = stack_bytes * STACKS_A_SLAB;
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return false;
    madvise(base, bytes, MADV_NOHUGEPAGE); // a huge page would make one idle session cost 2 MB
    for (size_t i = 0; i < STACKS_A_SLAB; i++)
        if (!guard(base + i * stack_bytes)) {
            munmap(base, bytes);
            return false;
        }
    struct slab *slab = MEM_NEW(struct slab);
    slab->base = base;
    list_append(&p->slabs, &slab->entry);
    for (size_t i = STACKS_A_SLAB; i-- > 0;) {
        char *stack = usable(base + i * stack_bytes);
        sanitizer_add_root(stack, stack_size());
        // The entry lies at the top, in the page that the next user touches first.
        struct stack *s = (struct stack *)(void *)(stack + stack_size() - sizeof *s);
        list_prepend(&p->free, &s->entry);
        p->free_n++;
    }
    return true;
}

char *stack_take(struct stack_pool *p) {
    if (list_empty(&p->free) && !add_slab(p))
        return NULL;
    struct stack *s = LIST_ENTRY(list_shift(&p->free), struct stack, entry);
    p->free_n--;
    p->used_n++;
    return (char *)(s + 1) - stack_size();
}

void stack_give(struct stack_pool *p, char *base) {
    char *end = base + stack_size();
    sanitizer_unpoison(base, stack_size());
    if (p->free_n >= STACKS_KEPT_WARM)
        madvise(base, stack_size(), MADV_DONTNEED);
    struct stack *s = (struct stack *)(void *)(end - sizeof *s);
    *s = (struct stack){0};
    list_prepend(&p->free, &s->entry);
    p->free_n++;
    p->used_n--;
}

void stack_trim(char *base, const char *sp) {
    char *top = (char *)((uintptr_t)sp & ~(uintptr_t)(PAGE - 1));
    if (top > base)
        madvise(base, (size_t)(top - base), MADV_DONTNEED);
}
