// volume: hours and baselines, as the guard has them for an account.
#include "core/policy/volume.h"

#include "base/num.h"
#include "core/policy/baseline.h"

#include <assert.h>

enum { NUMBER_MAX = UINT32_MAX / 2 };

const char *volume_figure_name(enum volume_figure f) {
    static const char *const names[] = {"in", "out", "unknown"};
    assert(f < VOLUME_FIGURES);
    return names[f];
}

static uint64_t bound_of(const struct volume_of *o) {
    return baseline_bound(o->past, VOLUME_FACTOR, VOLUME_LEAST);
}

// Into the hour that it is. A clock that stepped back makes an hour of its own.
static void roll(struct volume_of *o, struct wall now) {
    int64_t hour = now.ms / MS_HOUR, days = hour / 24 - o->hour / 24;
    if (o->first.ms == 0 || o->first.ms > now.ms)
        o->first = now;
    if (hour == o->hour)
        return;
    o->unusual = o->unusual && o->now > bound_of(o) && hour == o->hour + 1;
    o->today = (uint32_t)num_max(o->today, o->now);
    o->now = 0;
    if (days > 0) {
        o->past = baseline_after(o->past, o->today, days);
        o->today = 0;
    }
    o->hour = hour;
}

bool volume_count(struct volume *v, enum volume_figure f, uint32_t n, struct wall now) {
    struct volume_of *o = &v->of[f];
    roll(o, now);
    o->now = (uint32_t)num_min((uint64_t)o->now + n, NUMBER_MAX);
    v->changed |= 1u << f;
    if (o->unusual || now.ms - o->first.ms < (int64_t)VOLUME_LEARN_DAYS * MS_DAY || o->now <= bound_of(o))
        return false;
    o->unusual = true;
    return true;
}

struct volume_look volume_look(const struct volume *v, enum volume_figure f, struct wall now) {
    struct volume_of o = v->of[f];
    roll(&o, now);
    return (struct volume_look){.value = o.now, .baseline = o.past / BASELINE_FINE, .unusual = o.unusual};
}

// --- to be kept

bool volume_next_change(struct volume *v, struct buf *key, struct buf *value) {
    for (int f = 0; f < VOLUME_FIGURES; f++) {
        const struct volume_of *o = &v->of[f];
        if (!(v->changed >> f & 1))
            continue;
        buf_addf(key, "v%s", volume_figure_name((enum volume_figure)f));
        pack_i64(value, o->first.ms);
        pack_i64(value, o->hour);
        pack_u32(value, o->now);
        pack_u32(value, o->today);
        pack_u64(value, o->past);
        pack_u8(value, o->unusual);
        v->changed &= ~(1u << f);
        return true;
    }
    return false;
}

void volume_change_all(struct volume *v) {
    for (int f = 0; f < VOLUME_FIGURES; f++)
        if (v->of[f].first.ms)
            v->changed |= 1u << f;
}

static bool unpack_figure(struct slice value, struct volume_of *o) {
    struct unpack u = {.rest = value};
    o->first.ms = unpack_i64(&u);
    o->hour = unpack_i64(&u);
    o->now = unpack_u32(&u);
    o->today = unpack_u32(&u);
    o->past = unpack_u64(&u);
    uint8_t unusual = unpack_u8(&u);
    o->unusual = unusual == 1;
    return unpack_end(&u) && unusual <= 1 && o->first.ms >= 0 && o->hour >= 0 && o->now <= NUMBER_MAX &&
           o->today <= NUMBER_MAX && o->past <= (uint64_t)NUMBER_MAX * BASELINE_FINE;
}

bool volume_load(struct volume *v, struct slice key, struct slice value) {
    struct volume_of o;
    for (int f = 0; f < VOLUME_FIGURES && key.n > 1 && key.p[0] == 'v'; f++)
        if (slice_eq(slice_from(key, 1), slice_str(volume_figure_name((enum volume_figure)f)))) {
            if (!unpack_figure(value, &o))
                return false;
            v->of[f] = o;
            return true;
        }
    return false;
}
