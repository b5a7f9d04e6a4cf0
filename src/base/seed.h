// seed: pseudo-random numbers from one 64-bit seed, the same on every machine. Not for secrets.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct seed {
    uint64_t state;
};

uint64_t seed_next(struct seed *s);

// Even in 0..n-1; 0 when n is 0.
uint64_t seed_below(struct seed *s, uint64_t n);

// True in `per_mille` of a thousand.
bool seed_chance(struct seed *s, unsigned per_mille);
