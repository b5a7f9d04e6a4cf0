// sliding: how often something happened within the last while: counts of the present window and the one before, of
// which as much counts as still reaches into the last `window` ms. Pure: times are handed in; a clock that steps back
// stands still.
#pragma once

#include "base/pack.h"
#include "base/when.h"

struct sliding {
    struct wall start; // of the present window
    uint32_t now, before;
};

uint32_t sliding_sum(const struct sliding *s, int64_t window, struct wall t);
void sliding_add(struct sliding *s, int64_t window, uint32_t n, struct wall t);
void sliding_take(struct sliding *s, int64_t window, uint32_t n, struct wall t); // down to none

void sliding_pack(struct buf *b, const struct sliding *s);
void sliding_unpack(struct unpack *u, struct sliding *s); // sets u->bad for what can't be
