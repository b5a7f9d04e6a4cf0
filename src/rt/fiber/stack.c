// stack: slabs of stacks. Guards by MADV_GUARD_INSTALL where the kernel has it (6.13), since each mprotect would split
// a mapping and max_map_count ends that at about 32,000 fibers; by mprotect elsewhere. A free stack is a bit in its
// slab, so that it costs no page.
#include "rt/fiber/stack.h"

#include "base/mem.h"
#include "rt/fiber/fiber.h"
#include "rt/sanitizer.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    PAGE = 4096,
    STACKS_A_SLAB = 64,  // as bits of a word
    GUARD_INSTALL = 102, // MADV_GUARD_INSTALL, newer than Debian 12's headers
};

static const size_t stack_bytes = (size_t)FIBER_STACK * SANITIZER_STACK_FACTOR;
static const size_t slab_bytes = (size_t)FIBER_STACK * SANITIZER_STACK_FACTOR * STACKS_A_SLAB;

struct stack_slab {
    struct list entry;
    char *base;
    uint64_t free; // bit i: stack i
};

size_t stack_size(void) { return stack_bytes - PAGE; }

void stack_pool_init(struct stack_pool *p) {
    *p = (struct stack_pool){0};
    list_init(&p->slabs);
}

static char *usable(const struct stack_slab *slab, size_t i) { return slab->base + i * stack_bytes + PAGE; }

static void drop_slab(struct stack_slab *slab) {
    list_remove(&slab->entry);
    munmap(slab->base, slab_bytes);
    free(slab);
}

static void set_free(struct stack_pool *p, struct stack s) {
    size_t i = (size_t)(s.base - s.slab->base) / stack_bytes;
    sanitizer_forget_root(s.base, stack_size());
    madvise(s.base, stack_size(), MADV_DONTNEED);
    s.slab->free |= (uint64_t)1 << i;
    list_remove(&s.slab->entry);
    list_prepend(&p->slabs, &s.slab->entry);
    if (s.slab->free == UINT64_MAX)
        drop_slab(s.slab);
}

void stack_pool_done(struct stack_pool *p) {
    while (p->warm_n)
        set_free(p, p->warm[--p->warm_n]);
    assert(list_empty(&p->slabs));
}

static bool guard(char *page) {
    return madvise(page, PAGE, GUARD_INSTALL) == 0 || mprotect(page, PAGE, PROT_NONE) == 0;
}

static struct stack_slab *add_slab(struct stack_pool *p) {
    char *base =
        mmap(NULL, slab_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    madvise(base, slab_bytes, MADV_NOHUGEPAGE); // a huge page would make one idle session cost 2 MB
    for (size_t i = 0; i < STACKS_A_SLAB; i++)
        if (!guard(base + i * stack_bytes)) {
            munmap(base, slab_bytes);
            return NULL;
        }
    struct stack_slab *slab = MEM_NEW(struct stack_slab);
    *slab = (struct stack_slab){.base = base, .free = UINT64_MAX};
    list_prepend(&p->slabs, &slab->entry);
    return slab;
}

bool stack_take(struct stack_pool *p, struct stack *out) {
    if (p->warm_n) {
        *out = p->warm[--p->warm_n];
        return true;
    }
    struct stack_slab *slab = list_empty(&p->slabs) ? NULL : LIST_ENTRY(p->slabs.next, struct stack_slab, entry);
    if (!slab || !slab->free)
        slab = add_slab(p);
    if (!slab)
        return false;
    size_t i = (size_t)__builtin_ctzll(slab->free);
    slab->free &= slab->free - 1;
    if (!slab->free) { // behind those that have one
        list_remove(&slab->entry);
        list_append(&p->slabs, &slab->entry);
    }
    *out = (struct stack){slab, usable(slab, i)};
    sanitizer_add_root(out->base, stack_size());
    return true;
}

void stack_give(struct stack_pool *p, struct stack s) {
    sanitizer_unpoison(s.base, stack_size());
    if (p->warm_n < STACK_WARM)
        p->warm[p->warm_n++] = s;
    else
        set_free(p, s);
}

void stack_trim(char *base, const char *sp) {
    char *top = (char *)((uintptr_t)sp & ~(uintptr_t)(PAGE - 1));
    if (top > base)
        madvise(base, (size_t)(top - base), MADV_DONTNEED);
}
