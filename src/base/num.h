// num: numbers that a peer or a person wrote; arithmetic that can't overflow unseen.
#pragma once

#include "base/slice.h"

#include <stdint.h>

// All of `s` as a decimal number of 0..max; false for anything else, an empty slice included.
bool num_u64(struct slice s, uint64_t max, uint64_t *out);

static inline bool num_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool num_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }

static inline uint64_t num_min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t num_max(uint64_t a, uint64_t b) { return a > b ? a : b; }
