// buf: a growable byte buffer with a maximum and a sticky failure.
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 64 }; // bytes of the first allocation

void buf_done(struct buf *b) {
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b) {
    b->n = 0;
    b->failed = false;
}

void buf_trim(struct buf *b) { buf_done(b); }

static bool grow(struct buf *b, size_t need) {
    size_t cap = b->cap ? b->cap : BUF_FIRST;
    while (cap < need)
        cap *= 2;
    if (cap > b->max)
        cap = b->max;
    char *p = realloc(b->p, cap);
    if (!p)
        return false;
    b->p = p;
    b->cap = cap;
    return true;
}

char *buf_reserve(struct buf *b, size_t n) {
    if (b->failed)
        return NULL;
    if (n > b->cap - b->n && (n > b->max - b->n || !grow(b, b->n + n))) {
        b->failed = true;
        return NULL;
    }
    return b->p + b->n;
}

void buf_commit(struct buf *b, size_t n) {
    assert(n <= b->cap - b->n);
    b->n += n;
}

bool buf_add(struct buf *b, struct slice s) {
    if (s.n == 0)
        return !b->failed;
    char *to = buf_reserve(b, s.n);
    if (!to)
        return false;
    memcpy(to, s.p, s.n);
    b->n += s.n;
    return true;
}

bool buf_add_char(struct buf *b, char c) { return buf_add(b, slice_of(&c, 1)); }

bool buf_add_str(struct buf *b, const char *text) { return buf_add(b, slice_str(text)); }

// Longer than the small buffer of buf_addf(); formatted aside, since vsnprintf wants room for a NUL that b has not.
static bool add_long(struct buf *b, size_t n, const char *format, va_list args) {
    char *text = n <= b->max ? malloc(n + 1) : NULL;
    if (text) {
        vsnprintf(text, n + 1, format, args);
        buf_add(b, slice_of(text, n));
        free(text);
    }
    b->failed = b->failed || !text;
    return !b->failed;
}

bool buf_addf(struct buf *b, const char *format, ...) {
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0)
        b->failed = true;
    else if ((size_t)n < sizeof small)
        buf_add(b, slice_of(small, (size_t)n));
    else
        add_long(b, (size_t)n, format, again);
    va_end(again);
    return !b->failed;
}

bool buf_add_u64(struct buf *b, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return buf_add(b, slice_of(digits + at, sizeof digits - at));
}

void buf_drop(struct buf *b, size_t n) {
    assert(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}
