// slice: a length-carrying view of bytes that somebody else owns.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// `p` may be NULL only when `n` is 0. The bytes may hold NUL.
struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})
#define SLICE_EMPTY ((struct slice){NULL, 0})

// For printf: printf("%.*s", SLICE_ARG(s)). Cut at INT_MAX, which no caller reaches.
#define SLICE_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct slice slice_of(const void *p, size_t n) {
    return (struct slice){(const char *)p, n};
}

static inline struct slice slice_str(const char *text) {
    return (struct slice){text, text ? strlen(text) : 0};
}

// The first `n` bytes, or all where there are fewer.
static inline struct slice slice_upto(struct slice s, size_t n) {
    return (struct slice){s.p, n < s.n ? n : s.n};
}

// What follows the first `n` bytes; empty where there are fewer.
static inline struct slice slice_from(struct slice s, size_t n) {
    return n < s.n ? (struct slice){s.p + n, s.n - n} : SLICE_EMPTY;
}

static inline bool slice_eq(struct slice a, struct slice b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix) {
    return s.n >= prefix.n && slice_eq(slice_upto(s, prefix.n), prefix);
}

static inline bool slice_ends(struct slice s, struct slice suffix) {
    return s.n >= suffix.n && slice_eq(slice_from(s, s.n - suffix.n), suffix);
}

// ASCII case is folded, other bytes are compared as they are; never the locale.
bool slice_ieq(struct slice a, struct slice b);
bool slice_istarts(struct slice s, struct slice prefix);

// <0, 0, >0 in byte order, a prefix before what it begins.
int slice_cmp(struct slice a, struct slice b);

// Index of the first (last) `c`, or s.n where there is none.
size_t slice_find(struct slice s, char c);
size_t slice_rfind(struct slice s, char c);

// Index where `needle` first occurs, or s.n where it does not.
size_t slice_search(struct slice s, struct slice needle);

// Splits at the first `c`: `*head` before it, `*tail` after it. Where there is none, false,
// `*head` is all and `*tail` empty. `head` and `tail` may point to the source slice's variable.
bool slice_cut(struct slice s, char c, struct slice *head, struct slice *tail);

// Without spaces and tabs (CR and LF too) at both ends.
struct slice slice_trim(struct slice s);

static inline char ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_alpha(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }
static inline bool ascii_alnum(char c) { return ascii_digit(c) || ascii_alpha(c); }
static inline bool ascii_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
