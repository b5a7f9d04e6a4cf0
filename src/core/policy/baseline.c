// baseline: fading, a day's end, a bound.
#include "core/policy/baseline.h"

#include "base/num.h"

enum {
    FADE = 40,   // a baseline loses a FADEth a day
    FADED = 365, // days after which nothing of one is left
};

static uint64_t faded(uint64_t past, int64_t days) {
    if (days > FADED)
        return 0;
    for (; days > 0 && past; days--)
        past -= (past + FADE - 1) / FADE;
    return past;
}

uint64_t baseline_after(uint64_t past, uint32_t busiest, int64_t days) {
    return faded(num_max(faded(past, 1), (uint64_t)busiest * BASELINE_FINE), days - 1);
}

uint64_t baseline_bound(uint64_t past, uint32_t factor, uint64_t least) {
    return num_max(least, (past * factor + BASELINE_FINE - 1) / BASELINE_FINE);
}
