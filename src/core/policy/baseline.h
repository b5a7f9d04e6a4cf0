// baseline: the busiest hour of a past, for who judges what is far beyond it (core/policy/guard.h, core/policy/volume.h). It fades by
// a 40th a day, to half in four weeks: what happens once a month is remembered, one odd day isn't for ever.
#pragma once

#include <stdint.h>

enum { BASELINE_FINE = 256 }; // baselines are kept in parts of that

// A day ended whose busiest hour had `busiest`, and `days` (at least 1) have begun since: what is the past now?
uint64_t baseline_after(uint64_t past, uint32_t busiest, int64_t days);

// More than this is too much: `factor` times the baseline, and never less than `least`.
uint64_t baseline_bound(uint64_t past, uint32_t factor, uint64_t least);
