// arena: chunks of memory, newest first, handed out from the front to the back.
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CHUNK_FIRST = 512, // bytes; a transaction with one recipient fits
    CHUNK_MOST = 16384,
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; // bytes of `bytes`
    size_t used;
    alignas(max_align_t) char bytes[];
};

static void drop_chunk(struct arena *a) {
    struct arena_chunk *chunk = a->chunk;
    a->chunk = chunk->older;
    a->total -= chunk->size;
    free(chunk);
}

void arena_done(struct arena *a) {
    while (a->chunk)
        drop_chunk(a);
}

void arena_reset(struct arena *a) {
    while (a->chunk && (a->chunk->older || a->chunk->size > CHUNK_FIRST))
        drop_chunk(a);
    if (a->chunk)
        a->chunk->used = 0;
}

struct arena_mark arena_mark(struct arena *a) {
    return (struct arena_mark){a->chunk, a->chunk ? a->chunk->used : 0};
}

void arena_rewind(struct arena *a, struct arena_mark mark) {
    while (a->chunk && a->chunk != mark.chunk)
        drop_chunk(a);
    if (a->chunk)
        a->chunk->used = mark.used;
}

static bool add_chunk(struct arena *a, size_t n) {
    size_t size = a->chunk ? a->chunk->size * 2 : CHUNK_FIRST;
    if (size > CHUNK_MOST)
        size = CHUNK_MOST;
    if (size < n)
        size = n;
    if (size > a->max - a->total)
        size = n; // the last bytes up to the maximum
    if (size > a->max - a->total)
        return false;
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        return false;
    *chunk = (struct arena_chunk){.older = a->chunk, .size = size};
    a->chunk = chunk;
    a->total += size;
    return true;
}

void *arena_alloc(struct arena *a, size_t n) {
    size_t align = alignof(max_align_t);
    if (n > a->max)
        return NULL;
    n = (n + align - 1) / align * align;
    if ((!a->chunk || n > a->chunk->size - a->chunk->used) && !add_chunk(a, n))
        return NULL;
    char *p = a->chunk->bytes + a->chunk->used;
    a->chunk->used += n;
    return memset(p, 0, n);
}

struct slice arena_dup(struct arena *a, struct slice s) {
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;
    if (!p)
        return SLICE_EMPTY;
    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

struct slice arena_printf(struct arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = need < 0 ? NULL : arena_alloc(a, (size_t)need + 1);
    if (p)
        vsnprintf(p, (size_t)need + 1, format, again);
    va_end(again);
    return p ? slice_of(p, (size_t)need) : SLICE_EMPTY;
}
