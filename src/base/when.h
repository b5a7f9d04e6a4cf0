// when: points in time. Wall-clock and monotonic time are different types, so that they can't be mixed up.
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

// Monotonic: for deadlines and durations. Nanoseconds since an arbitrary start; never steps.
struct mono {
    int64_t ns;
};

// Wall clock: for people, headers and the disk. Milliseconds since 1970-01-01 UTC; may step either way.
struct wall {
    int64_t ms;
};

#define MONO_NEVER ((struct mono){INT64_MAX}) // a deadline that doesn't come
#define MONO_START ((struct mono){0})         // a deadline that has passed

static inline struct mono mono_add_ms(struct mono t, int64_t ms) {
    return ms > (INT64_MAX - t.ns) / 1000000 ? MONO_NEVER : (struct mono){t.ns + ms * 1000000};
}

static inline bool mono_before(struct mono a, struct mono b) { return a.ns < b.ns; }
static inline struct mono mono_earlier(struct mono a, struct mono b) { return a.ns < b.ns ? a : b; }
static inline int64_t mono_ms_between(struct mono from, struct mono to) { return (to.ns - from.ns) / 1000000; }

static inline struct wall wall_add_ms(struct wall t, int64_t ms) { return (struct wall){t.ms + ms}; }

enum { MS_SECOND = 1000, MS_MINUTE = 60 * MS_SECOND, MS_HOUR = 60 * MS_MINUTE, MS_DAY = 24 * MS_HOUR };

// "Sat, 21 Nov 2026 10:41:15 +0000" (RFC 5322 3.3, always UTC).
bool wall_add_rfc5322(struct buf *b, struct wall t);

// "2026-11-21T10:41:15.123Z" (RFC 3339).
bool wall_add_rfc3339(struct buf *b, struct wall t);
