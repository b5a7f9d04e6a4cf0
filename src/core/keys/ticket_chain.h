// ticket_chain: the keys of session tickets as values: one secret that is hashed forward epoch by epoch, so that the
// past can't be had back, and that several processes can share. An epoch is a quarter of a ticket's life.
#pragma once

#include "base/buf.h"
#include "base/when.h"

#include <stdint.h>

enum { TICKET_SECRET = 32 };

struct ticket_chain {
    int64_t epoch;
    uint8_t secret[TICKET_SECRET];
};

enum { TICKET_CHAIN_BYTES = 8 + TICKET_SECRET };
bool ticket_chain_pack(struct buf *b, const struct ticket_chain *c);
bool ticket_chain_unpack(struct slice bytes, struct ticket_chain *out);

// The epoch that a time lies in, for tickets that live `life_ms` (at least 1).
int64_t ticket_epoch(struct wall now, int64_t life_ms);

enum { TICKET_EPOCHS_BACK = 4, TICKET_STEPS_MAX = 1 << 20 };

// Forward, to `epoch`; nothing when it is there or past it. False when that is further than TICKET_STEPS_MAX: then a
// fresh secret has to be taken.
bool ticket_chain_advance(struct ticket_chain *c, int64_t epoch);

// MESSAGE_TICKET_KEY bytes for each: that of `epoch` first, then the next (others' clocks may be ahead), then those
// before it, back to the chain's own. Another `role` has other keys. Nothing when the chain is past `epoch`.
void ticket_chain_keys(const struct ticket_chain *c, struct slice role, int64_t epoch, struct buf *out);
