// num: numbers that a peer or a person wrote; arithmetic that can't overflow unseen.
#pragma once

#include "base/slice.h"

#include <stdint.h>

// All of `s` as a decimal number of 0..max; false for anything else, an empty slice included.
bool num_u64(struct slice s, uint64_t max, uint64_t *out);

static inline uint64_t num_min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t num_max(uint64_t a, uint64_t b) { return a > b ? a : b; }
