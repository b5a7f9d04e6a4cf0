// plan: when a message is tried again, and how many attempts a destination gets at once. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// How long to wait after `attempts` (at least 1) attempts: `first_ms`, doubling up to `most_ms`, and up to a quarter
// more or less by `random`, so that what failed together doesn't come back together. At least 1.
int64_t plan_wait_ms(int64_t first_ms, int64_t most_ms, uint32_t attempts, uint64_t random);

// Attempts at once to one destination: grows by one when as many attempts as it is wide went well in a row, halves when
// the site fails (never for what a site says of one recipient). As many failures in a row as it is still wide: the
// destination is dead for now, and only single attempts ask whether it is back.
struct plan_window {
    uint32_t width;
    uint32_t most;
    uint32_t worked;   // in a row, since it last grew
    uint32_t failures; // in a row
    bool dead;
};

void plan_window_init(struct plan_window *w, uint32_t first, uint32_t most);
void plan_window_worked(struct plan_window *w);
void plan_window_failed(struct plan_window *w);

// Attempts that may run at once.
static inline uint32_t plan_window_room(const struct plan_window *w) { return w->dead ? 1 : w->width; }
