// hist: see hist.h.
#include "hist.h"

static unsigned bucket_of(uint64_t value) {
    if (value < HIST_SUB)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
    unsigned at = (shift + 1) * HIST_SUB + (unsigned)((value >> shift) & (HIST_SUB - 1));
    return at < HIST_BUCKETS ? at : HIST_BUCKETS - 1;
}

static uint64_t value_of(unsigned bucket) {
    if (bucket < HIST_SUB)
        return bucket;
    unsigned shift = bucket / HIST_SUB - 1;
    return (uint64_t)(HIST_SUB + bucket % HIST_SUB) << shift;
}

void hist_add(struct hist *h, uint64_t value) {
    h->bucket[bucket_of(value)]++;
    h->count++;
    if (value > h->max)
        h->max = value;
}

uint64_t hist_at(const struct hist *h, double p) {
    if (p >= 1)
        return h->max;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen && (double)seen >= p * (double)h->count)
            return value_of(i);
    }
    return 0;
}
