// fuzz: what the fuzz targets share.
#pragma once

#include "base/slice.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A property that must hold for every input.
#define FUZZ_CHECK(property)                                                                                           \
    do {                                                                                                               \
        if (!(property)) {                                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

// Takes the first byte off as a choice of 0..n-1; 0 when there is none.
static inline unsigned fuzz_choose(struct slice *in, unsigned n) {
    unsigned v = in->n ? (uint8_t)in->p[0] % n : 0;
    *in = slice_from(*in, 1);
    return v;
}

static inline bool fuzz_inside(struct slice part, struct slice whole) {
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}
