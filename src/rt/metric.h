// metric: what a process counts, as plain numbers in one value; snapshots as bytes; their sum as Prometheus text.
//
//     metric_add(m, METRIC_MESSAGES_ACCEPTED, 1);
//     metric_add_at(m, METRIC_RECIPIENTS_REFUSED, METRIC_REASON_RELAY, 1);
//     metric_observe(m, METRIC_SYNC_SECONDS, 0, ns);
//
// A process packs its values when it is asked (metric_pack); `control` unpacks those of every process and renders all.
// The numbers are 64 bits wide, touched by one thread, and cost an addition each.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "rt/metric_table.h"

#include <stdint.h>

enum metric_id {
#define X(id, name, type, unit, merge, label, help) METRIC_##id,
    METRICS(X)
#undef X
        METRIC_COUNT
};

// METRIC_REASON_RELAY and so on, from 0; METRIC_REASON__COUNT of each list.
#define X_MEMBER(list, member, value) METRIC_##list##_##member,
#define X(list, key) enum metric_label_##list{METRIC_LABEL_##list(X_MEMBER, list) METRIC_##list##__COUNT};
METRIC_LABELS(X)
#undef X
#undef X_MEMBER

enum {
    METRIC_BOUNDS = 20,                         // of a histogram's buckets: 0.5 ms to a day
    METRIC_HISTOGRAM_SLOTS = METRIC_BOUNDS + 2, // the buckets, the one above all bounds, and the sum
    METRIC_COUNTER_SLOTS = 1,
    METRIC_GAUGE_SLOTS = 1,
};

// Where each metric's values begin.
enum metric_slot {
#define X(id, name, type, unit, merge, label, help)                                                                    \
    METRIC_SLOT_##id, METRIC_SLOT_END_##id = METRIC_SLOT_##id + METRIC_##type##_SLOTS * METRIC_##label##__COUNT - 1,
    METRICS(X)
#undef X
        METRIC_SLOTS
};

// Zeroed is valid.
struct metric {
    uint64_t v[METRIC_SLOTS];
};

// The slot of `label` (0 where the metric has none). Asserted: our own numbers.
size_t metric_slot(enum metric_id id, unsigned label);

static inline void metric_add_at(struct metric *m, enum metric_id id, unsigned label, uint64_t n) {
    m->v[metric_slot(id, label)] += n;
}
static inline void metric_add(struct metric *m, enum metric_id id, uint64_t n) { metric_add_at(m, id, 0, n); }

// Gauges, and counters that are counted elsewhere (CPU time, the journal's).
static inline void metric_set_at(struct metric *m, enum metric_id id, unsigned label, int64_t value) {
    m->v[metric_slot(id, label)] = (uint64_t)value;
}
static inline void metric_set(struct metric *m, enum metric_id id, int64_t value) { metric_set_at(m, id, 0, value); }

// A histogram's next value; a negative one counts as 0.
void metric_observe(struct metric *m, enum metric_id id, unsigned label, int64_t ns);

// CPU time and memory of this process, by getrusage(2).
void metric_observe_process(struct metric *m);

// The values as bytes, and back. Bytes of another version of the table, or anything else: false, `out` untouched.
bool metric_pack(const struct metric *m, struct buf *out);
MUST_CHECK bool metric_unpack(struct slice bytes, struct metric *out, struct err *e);

// Adds the counters and histograms, not the gauges, of a process that has ended, so that sums never step back.
void metric_retire(struct metric *gone, const struct metric *last);

struct metric_process {
    char name[24]; // "smtpd-1", NUL-terminated
    struct metric values;
};

enum { METRIC_RENDER_MAX = 1024 * 1024 };

// All of `processes`, and `gone` (may be NULL), as Prometheus text format 0.0.4 with HELP and TYPE. Names begin with
// posthouse_. `version` becomes posthouse_build_info. False when it did not fit.
bool metric_render(const struct metric_process *processes, size_t n, const struct metric *gone, struct slice version,
                   struct buf *out);
