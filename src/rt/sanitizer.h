// sanitizer: what the sanitizers have to be told about stacks that are not the thread's; nothing in a plain build.
#pragma once

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER_ADDRESS 1
#endif
#endif

#ifdef SANITIZER_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>

#define SANITIZER_STACK_FACTOR 8 // red zones make frames larger

static inline void sanitizer_add_root(void *p, size_t n) { __lsan_register_root_region(p, n); }
static inline void sanitizer_forget_root(void *p, size_t n) { __lsan_unregister_root_region(p, n); }
static inline void sanitizer_unpoison(void *p, size_t n) { __asan_unpoison_memory_region(p, n); }

static inline void sanitizer_switch_begin(void **save, const void *base, size_t n) {
    __sanitizer_start_switch_fiber(save, base, n);
}

static inline void sanitizer_switch_end(void *saved, const void **from_base, size_t *from_n) {
    __sanitizer_finish_switch_fiber(saved, from_base, from_n);
}
#else
#define SANITIZER_STACK_FACTOR 1

static inline void sanitizer_add_root(void *p, size_t n) { (void)p, (void)n; }
static inline void sanitizer_forget_root(void *p, size_t n) { (void)p, (void)n; }
static inline void sanitizer_unpoison(void *p, size_t n) { (void)p, (void)n; }
static inline void sanitizer_switch_begin(void **save, const void *base, size_t n) { (void)save, (void)base, (void)n; }
static inline void sanitizer_switch_end(void *saved, const void **from_base, size_t *from_n) {
    (void)saved, (void)from_base, (void)from_n;
}
#endif
