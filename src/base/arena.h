// arena: memory that is given back at once. One per session, per transaction, per command: reset, not freed by piece.
#pragma once

#include "base/slice.h"

struct arena_chunk;

// Zero-initialised but for `max` is a valid empty arena: struct arena a = {.max = 65536};
struct arena {
    struct arena_chunk *chunk; // newest first
    size_t total;              // bytes of all chunks
    size_t max;                // bytes of all chunks at most; past it arena_alloc gives NULL
};

// A place to come back to.
struct arena_mark {
    struct arena_chunk *chunk;
    size_t used;
};

void arena_done(struct arena *a);

// Forgets what was allocated and gives the memory back, but for one small chunk that the next use will want.
void arena_reset(struct arena *a);

struct arena_mark arena_mark(struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);

// Zeroed and aligned for any type; NULL when `max` would be passed: a temporary error at the caller.
void *arena_alloc(struct arena *a, size_t n);

// Copies; p is NULL when it did not fit and s.n > 0. The copy is followed by a NUL that is not counted.
struct slice arena_dup(struct arena *a, struct slice s);

// Formats into the arena; empty with p NULL when it did not fit. NUL-terminated as arena_dup.
struct slice arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_AUTO __attribute__((cleanup(arena_done)))
