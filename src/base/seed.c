// seed: splitmix64.
#include "base/seed.h"

uint64_t seed_next(struct seed *s) {
    uint64_t z = (s->state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint64_t seed_below(struct seed *s, uint64_t n) { return n ? (uint64_t)(((__uint128_t)seed_next(s) * n) >> 64) : 0; }

bool seed_chance(struct seed *s, unsigned per_mille) { return seed_below(s, 1000) < per_mille; }
