// hist: a latency histogram of fixed size with 1.6 % precision, in the manner of HdrHistogram.
#pragma once

#include <stdint.h>

// Values below 64 have a bucket each; every further power of two is cut into 64 buckets.
enum { HIST_SUB_BITS = 6, HIST_SUB = 1 << HIST_SUB_BITS, HIST_BUCKETS = 40 * HIST_SUB };

// Zero-initialised is empty. Values are microseconds here, but any unit will do.
struct hist {
    uint64_t count;
    uint64_t max;
    uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t value);

// The value that the fraction `p` (0..1) of all values does not pass; 0 of an empty one.
uint64_t hist_at(const struct hist *h, double p);
