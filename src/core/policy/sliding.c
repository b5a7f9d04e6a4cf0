// sliding: two windows of counts.
#include "core/policy/sliding.h"

#include "base/num.h"

enum { MOST = UINT32_MAX / 4 };

static int64_t age_at(const struct sliding *s, struct wall t) { return t.ms > s->start.ms ? t.ms - s->start.ms : 0; }

// As much of `n` as lies within the window, of which `gone` ms have passed; rounded up.
static uint32_t part(uint32_t n, int64_t window, int64_t gone) {
    return (uint32_t)((n * (uint64_t)(window - gone) + (uint64_t)window - 1) / (uint64_t)window);
}

uint32_t sliding_sum(const struct sliding *s, int64_t window, struct wall t) {
    int64_t age = age_at(s, t);
    if (window <= 0 || age >= 2 * window)
        return 0;
    return age >= window ? part(s->now, window, age - window) : s->now + part(s->before, window, age);
}

static void roll(struct sliding *s, int64_t window, struct wall t) {
    int64_t age = age_at(s, t);
    if (window <= 0 || age >= 2 * window) {
        *s = (struct sliding){.start = t};
    } else if (age >= window) {
        s->before = s->now;
        s->now = 0;
        s->start.ms += window;
    }
}

void sliding_add(struct sliding *s, int64_t window, uint32_t n, struct wall t) {
    roll(s, window, t);
    s->now = (uint32_t)num_min((uint64_t)s->now + n, MOST);
}

void sliding_take(struct sliding *s, int64_t window, uint32_t n, struct wall t) {
    roll(s, window, t);
    uint32_t first = n < s->now ? n : s->now, rest = n - first;
    s->now -= first;
    s->before -= rest < s->before ? rest : s->before;
}

void sliding_pack(struct buf *b, const struct sliding *s) {
    pack_i64(b, s->start.ms);
    pack_u32(b, s->now);
    pack_u32(b, s->before);
}

void sliding_unpack(struct unpack *u, struct sliding *s) {
    s->start.ms = unpack_i64(u);
    s->now = unpack_u32(u);
    s->before = unpack_u32(u);
    u->bad |= s->start.ms < 0 || s->now > MOST || s->before > MOST;
}
