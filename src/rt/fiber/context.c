// context: the registers that a call must keep are pushed, the stack pointers are exchanged, and popped again.
#include "rt/fiber/context.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>

void context_jump(void **save_sp, void *to_sp);
void context_start(void);

#if defined(__x86_64__) && !defined(CONTEXT_PORTABLE)

__asm__(".text\n"
        ".globl context_jump\n.type context_jump,@function\n"
        "context_jump:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size context_jump,.-context_jump\n"
        ".globl context_start\n.type context_start,@function\n"
        "context_start:\n" // r12 entry, r13 argument; the zero return address ends a debugger's walk
        "  movq %r13, %rdi\n"
        "  pushq $0\n  pushq $0\n"
        "  jmp *%r12\n"
        ".size context_start,.-context_start\n"
        ".section .note.GNU-stack,\"\",@progbits\n.text\n");

void context_make(struct context *c, char *base, char *end, void (*entry)(void *arg), void *arg) {
    (void)base;
    // After six pops and the return rsp is `top`; context_start's two pushes leave rsp + 8 at a multiple of 16.
    uintptr_t top = ((uintptr_t)end & ~(uintptr_t)15) - 8;
    uintptr_t *sp = (uintptr_t *)top - 7;
    sp[0] = 0;                      // r15
    sp[1] = 0;                      // r14
    sp[2] = (uintptr_t)arg;         // r13
    sp[3] = (uintptr_t)entry;       // r12
    sp[4] = 0;                      // rbx
    sp[5] = 0;                      // rbp
    sp[6] = (uintptr_t)context_start;
    *c = (struct context){.sp = sp};
}

void context_switch(struct context *from, struct context *to) { context_jump(&from->sp, to->sp); }

void context_done(struct context *c) { *c = (struct context){0}; }

#elif defined(__aarch64__) && !defined(CONTEXT_PORTABLE)

__asm__(".text\n"
        ".globl context_jump\n.type context_jump,%function\n"
        "context_jump:\n"
        "  sub sp, sp, #160\n"
        "  stp x19, x20, [sp, #0]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
        "  stp x25, x26, [sp, #48]\n  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n"
        "  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
        "  mov x9, sp\n  str x9, [x0]\n  mov sp, x1\n"
        "  ldp x19, x20, [sp, #0]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
        "  ldp x25, x26, [sp, #48]\n  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n"
        "  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #160\n"
        "  ret\n"
        ".size context_jump,.-context_jump\n"
        ".globl context_start\n.type context_start,%function\n"
        "context_start:\n"
        "  mov x0, x20\n  mov x29, #0\n  mov x30, #0\n  br x19\n"
        ".size context_start,.-context_start\n");

void context_make(struct context *c, char *base, char *end, void (*entry)(void *arg), void *arg) {
    (void)base;
    uintptr_t *sp = (uintptr_t *)(((uintptr_t)end & ~(uintptr_t)15) - 160);
    for (size_t i = 0; i < 20; i++)
        sp[i] = 0;
    sp[0] = (uintptr_t)entry;          // x19
    sp[1] = (uintptr_t)arg;            // x20
    sp[11] = (uintptr_t)context_start; // x30
    *c = (struct context){.sp = sp};
}

void context_switch(struct context *from, struct context *to) { context_jump(&from->sp, to->sp); }

void context_done(struct context *c) { *c = (struct context){0}; }

#else

#include <ucontext.h>

struct portable {
    ucontext_t place;
    void (*entry)(void *arg);
    void *arg;
};

static void portable_start(unsigned high, unsigned low) {
    struct portable *p = (struct portable *)(uintptr_t)((uint64_t)high << 32 | low);
    p->entry(p->arg);
}

static struct portable *portable_of(struct context *c) {
    if (!c->extra)
        c->extra = MEM_NEW(struct portable);
    return c->extra;
}

void context_make(struct context *c, char *base, char *end, void (*entry)(void *arg), void *arg) {
    struct portable *p = portable_of(c);
    p->entry = entry;
    p->arg = arg;
    getcontext(&p->place);
    p->place.uc_stack.ss_sp = base;
    p->place.uc_stack.ss_size = (size_t)(end - base);
    makecontext(&p->place, (void (*)(void))portable_start, 2, (unsigned)((uint64_t)(uintptr_t)p >> 32),
                (unsigned)(uintptr_t)p);
    c->sp = base; // unknown: nothing is trimmed
}

void context_switch(struct context *from, struct context *to) {
    swapcontext(&portable_of(from)->place, &portable_of(to)->place);
}

void context_done(struct context *c) {
    free(c->extra);
    *c = (struct context){0};
}

#endif
