// buf: bytes that grow up to a maximum. A failed addition sticks, so that a caller adds everything and looks once.
#pragma once

#include "base/slice.h"

#include <stdint.h>

// Zero-initialised but for `max` is a valid empty buffer: struct buf b = {.max = 4096};
struct buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max;  // bytes; an addition that would pass it fails and sets `failed`
    bool failed; // an addition did not fit; `n` bytes before it are whole
};

void buf_done(struct buf *b);

// Empties it and forgets a failure; keeps the memory. buf_trim gives the memory back as well.
void buf_reset(struct buf *b);
void buf_trim(struct buf *b);

// Room for `n` more bytes behind p + n, or NULL (and `failed`). buf_commit says how many of them were written.
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

bool buf_add(struct buf *b, struct slice s);
bool buf_add_char(struct buf *b, char c);
bool buf_add_str(struct buf *b, const char *text);
bool buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_add_u64(struct buf *b, uint64_t value);

// Drops the first `n` bytes (n <= b->n); the rest moves to the front.
void buf_drop(struct buf *b, size_t n);

static inline struct slice buf_slice(const struct buf *b) { return slice_of(b->p, b->n); }

#define BUF_AUTO __attribute__((cleanup(buf_done)))
