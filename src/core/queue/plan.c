// plan: waits that double, windows that breathe.
#include "core/queue/plan.h"

int64_t plan_wait_ms(int64_t first_ms, int64_t most_ms, uint32_t attempts, uint64_t random) {
    int64_t wait = first_ms < 1 ? 1 : first_ms;
    for (uint32_t i = 1; i < attempts && wait < most_ms; i++)
        wait = wait > most_ms / 2 ? most_ms : wait * 2;
    int64_t quarter = wait / 4;
    return quarter ? wait - quarter + (int64_t)(random % (uint64_t)(2 * quarter + 1)) : wait;
}

void plan_window_init(struct plan_window *w, uint32_t first, uint32_t most) {
    *w = (struct plan_window){.width = first ? first : 1, .most = most > first ? most : first ? first : 1};
}

void plan_window_worked(struct plan_window *w) {
    w->failures = 0;
    w->dead = false;
    if (++w->worked < w->width)
        return;
    w->worked = 0;
    if (w->width < w->most)
        w->width++;
}

void plan_window_failed(struct plan_window *w) {
    w->worked = 0;
    w->failures++;
    w->width = w->width > 1 ? w->width / 2 : 1;
    w->dead = w->dead || w->failures >= w->width;
}
