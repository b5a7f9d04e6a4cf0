// rates: token buckets for what strangers may do: so many at once, and then as fast as the configuration says. A bucket
// for each `rate` and each name it is counted by.
//
// What is refused takes nothing: who knocks on and on is let in as often as the rate says.
//
// Pure: times are handed in. Bounded: of each kind of name the buckets that were touched longest ago go first, so that
// made-up HELO names can't push out a client's.
//
// A start is no way around a rate: buckets that are more than half empty, and will be for RATES_KEPT_MS, are kept
// elsewhere, and hold for the same rate of another configuration. The others are full after a start.
#pragma once

#include "base/bounded.h"
#include "core/config/config_gate.h"
#include "core/message/message_gate.h"

enum {
    RATES_ENTRIES = 100000,
    RATES_NAME_MAX = 255,
    RATES_TEXT = 200,
    RATES_MAX = 1000,
    RATES_KEPT_MS = 10 * MS_SECOND,
};

// One moment on both clocks: buckets fill by the steady one, and are kept by the other.
struct rates_now {
    struct mono mono;
    struct wall wall;
};

struct rates {
    const struct config_rate *list; // RATES_MAX of them count
    size_t n;
    struct bounded by[CONFIG_RATE_BYS];
};

void rates_init(struct rates *r, const struct config_rate *list, size_t n, const struct hash_key *key);
void rates_done(struct rates *r);

struct rates_refusal {
    const struct config_rate *rate;
    bool first;            // since it was last within the rate: worth a line in the log
    char text[RATES_TEXT]; // for people: "too many messages from 192.0.2.1; try again in 40 seconds"
};

// Whether one more is within all rates, and counts it. False: `refusal`.
bool rates_take(struct rates *r, const struct message_tally *m, struct mono now, struct rates_refusal *refusal);

void rates_sweep(struct rates *r, struct mono now); // forgets some buckets that are full

size_t rates_entries(const struct rates *r);

// --- to be kept elsewhere under a key that begins with 'b'; as lockout.h

bool rates_next_change(struct rates *r, struct rates_now now, struct buf *key, struct buf *value);
void rates_change_all(struct rates *r);
bool rates_load(struct rates *r, struct slice key, struct slice value, struct rates_now now);
