// guard: hours, baselines and states.
#include "core/policy/guard.h"

#include "base/num.h"
#include "base/pack.h"
#include "core/policy/baseline.h"

#include <assert.h>
#include <stdio.h>

enum { NUMBER_MAX = UINT32_MAX / 2 };

struct account {
    struct bounded_entry entry;
    struct wall first;             // when it was first seen
    int64_t hour;                  // that `now` counts, since 1970
    uint32_t now[GUARD_FIGURES];   // in this hour
    uint32_t today[GUARD_FIGURES]; // busiest hour of the day that is not over
    uint32_t seen[GUARD_FIGURES];  // busiest hour while it is held
    uint64_t past[GUARD_FIGURES];  // baseline * BASELINE_FINE
    enum guard_state state;        // NORMAL may be LEARNING
    uint32_t held;
    bool told;
    char why[GUARD_WHY];
};

const char *guard_figure_name(enum guard_figure f) {
    static const char *const names[] = {"messages", "recipients", "failures"};
    assert(f < GUARD_FIGURES);
    return names[f];
}

void guard_init(struct guard *g, const struct config_guard *c, const struct hash_key *key) {
    *g = (struct guard){.config = c};
    bounded_init(&g->users, sizeof(struct account), GUARD_USERS, key);
}

void guard_done(struct guard *g) { bounded_done(&g->users); }

static struct slice name_of(struct slice user) { return slice_upto(user, GUARD_USER_MAX); }

static struct account *find(const struct guard *g, struct slice user) { return bounded_find(&g->users, name_of(user)); }

static bool is_kept_back(const struct account *a) { return a->state == GUARD_HOLDING || a->state == GUARD_BLOCKED; }

// --- hours and days

static int64_t hour_at(struct wall now) { return now.ms / MS_HOUR; }

static void end_day(struct account *a, int64_t days) {
    for (int f = 0; f < GUARD_FIGURES; f++) {
        a->past[f] = baseline_after(a->past[f], a->today[f], days);
        a->today[f] = 0;
    }
}

// Into the hour that it is. A clock that stepped back makes an hour of its own.
static void roll(struct account *a, struct wall now) {
    int64_t hour = hour_at(now), days = hour / 24 - a->hour / 24;
    if (a->first.ms > now.ms || a->first.ms == 0)
        a->first = now;
    if (hour == a->hour)
        return;
    for (int f = 0; f < GUARD_FIGURES; f++) {
        uint32_t *busiest = is_kept_back(a) ? &a->seen[f] : &a->today[f];
        *busiest = (uint32_t)num_max(*busiest, a->now[f]);
        a->now[f] = 0;
    }
    if (days > 0)
        end_day(a, days);
    a->hour = hour;
}

// --- deciding

static bool learns(const struct guard *g, const struct account *a, struct wall now) {
    return now.ms - a->first.ms < g->config->learn;
}

static uint64_t bound_of(const struct guard *g, const struct account *a, enum guard_figure f) {
    return baseline_bound(a->past[f], g->config->factor, g->config->least);
}

static enum guard_state state_of(const struct guard *g, const struct account *a, struct wall now) {
    if (a->state == GUARD_HOLDING && !g->config->on)
        return GUARD_NORMAL;
    return a->state == GUARD_NORMAL && learns(g, a, now) ? GUARD_LEARNING : a->state;
}

static void hold(const struct guard *g, struct account *a, struct guard_verdict *v) {
    uint64_t past = (a->past[v->figure] + BASELINE_FINE - 1) / BASELINE_FINE;
    a->state = GUARD_HOLDING;
    a->told = false;
    a->held = 0;
    v->began = true;
    if (v->bound > g->config->least)
        snprintf(
            a->why, sizeof a->why, "%llu %s in this hour, which is more than %u times the %llu of its busiest hour",
            (unsigned long long)v->value, guard_figure_name(v->figure), g->config->factor, (unsigned long long)past);
    else
        snprintf(a->why, sizeof a->why, "%llu %s in this hour, which is more than %u; its busiest hour so far had %llu",
                 (unsigned long long)v->value, guard_figure_name(v->figure), g->config->least,
                 (unsigned long long)past);
}

static void judge(const struct guard *g, struct account *a, struct guard_verdict *v) {
    for (int f = 0; f < GUARD_FIGURES && !v->began; f++) {
        v->figure = (enum guard_figure)f;
        v->value = a->now[f];
        v->bound = bound_of(g, a, (enum guard_figure)f);
        if (v->value > v->bound)
            hold(g, a, v);
    }
}

static void add(uint32_t *to, uint32_t n) { *to = (uint32_t)num_min((uint64_t)*to + n, NUMBER_MAX); }

struct guard_verdict guard_count(struct guard *g, struct slice user, uint32_t recipients, uint32_t failures,
                                 struct wall now) {
    struct account *a = bounded_get(&g->users, name_of(user));
    struct guard_verdict v = {.began = false};
    if (!a->hour)
        a->state = GUARD_NORMAL;
    roll(a, now);
    add(&a->now[GUARD_MESSAGES], recipients > 0);
    add(&a->now[GUARD_RECIPIENTS], recipients);
    add(&a->now[GUARD_FAILURES], failures);
    if (g->config->on && state_of(g, a, now) == GUARD_NORMAL)
        judge(g, a, &v);
    v.state = state_of(g, a, now);
    if (v.state == GUARD_HOLDING && recipients)
        add(&a->held, 1);
    bounded_pin(&g->users, &a->entry, is_kept_back(a));
    g->untold |= v.began;
    v.why = slice_str(a->why);
    return v;
}

bool guard_is_blocked(const struct guard *g, struct slice user) {
    const struct account *a = find(g, user);
    return a && a->state == GUARD_BLOCKED;
}

bool guard_release(struct guard *g, struct slice user, struct wall now) {
    struct account *a = find(g, user);
    if (!a || !is_kept_back(a))
        return false;
    roll(a, now);
    for (int f = 0; f < GUARD_FIGURES; f++) {
        a->past[f] = num_max(a->past[f], num_max(a->seen[f], a->now[f]) * BASELINE_FINE);
        a->seen[f] = 0;
    }
    a->state = GUARD_NORMAL;
    a->held = 0;
    a->why[0] = 0;
    bounded_pin(&g->users, &a->entry, false);
    bounded_changed(&g->users, &a->entry);
    return true;
}

bool guard_block(struct guard *g, struct slice user, struct wall now) {
    struct account *a = bounded_get(&g->users, name_of(user));
    if (!a->hour)
        a->state = GUARD_NORMAL;
    roll(a, now);
    bool changed = a->state != GUARD_BLOCKED;
    a->state = GUARD_BLOCKED;
    a->told = true;
    snprintf(a->why, sizeof a->why, "blocked by the administrator");
    bounded_pin(&g->users, &a->entry, true);
    return changed;
}

// --- for people

static void list_one(const struct guard *g, const struct account *a, struct wall now,
                     void (*each)(void *arg, const struct guard_line *line), void *arg) {
    struct guard_line line = {
        .user = a->entry.key, .why = slice_str(a->why), .state = state_of(g, a, now), .held = a->held};
    if (a->hour == hour_at(now)) {
        line.messages = a->now[GUARD_MESSAGES];
        line.recipients = a->now[GUARD_RECIPIENTS];
    }
    if (line.state != GUARD_LEARNING) {
        line.messages_bound = (uint32_t)num_min(bound_of(g, a, GUARD_MESSAGES), UINT32_MAX);
        line.recipients_bound = (uint32_t)num_min(bound_of(g, a, GUARD_RECIPIENTS), UINT32_MAX);
    }
    each(arg, &line);
}

void guard_list(const struct guard *g, enum guard_state state, struct slice user, struct wall now,
                void (*each)(void *arg, const struct guard_line *line), void *arg) {
    const struct account *a;
    for (size_t at = 0; (a = map_next(&g->users.map, &at));)
        if (state_of(g, a, now) == state && (!user.n || slice_eq(user, a->entry.key)))
            list_one(g, a, now, each, arg);
}

uint32_t guard_held(const struct guard *g) {
    const struct account *a;
    uint32_t n = 0;
    for (size_t at = 0; g->users.pinned && (a = map_next(&g->users.map, &at));)
        n += a->state == GUARD_HOLDING;
    return n;
}

bool guard_next_untold(struct guard *g, struct slice *user, struct slice *why) {
    const struct account *a;
    for (size_t at = 0; g->untold && (a = map_next(&g->users.map, &at));)
        if (a->state == GUARD_HOLDING && !a->told) {
            *user = a->entry.key;
            *why = slice_str(a->why);
            return true;
        }
    g->untold = false;
    return false;
}

void guard_told(struct guard *g, struct slice user) {
    struct account *a = find(g, user);
    if (!a)
        return;
    a->told = true;
    bounded_changed(&g->users, &a->entry);
}

// --- to be kept

static void pack_account(struct buf *b, const struct account *a) {
    pack_i64(b, a->first.ms);
    pack_i64(b, a->hour);
    for (int f = 0; f < GUARD_FIGURES; f++) {
        pack_u32(b, a->now[f]);
        pack_u32(b, a->today[f]);
        pack_u32(b, a->seen[f]);
        pack_u64(b, a->past[f]);
    }
    pack_u8(b, (uint8_t)a->state);
    pack_u32(b, a->held);
    pack_u8(b, a->told);
    pack_slice(b, slice_str(a->why));
}

bool guard_next_change(struct guard *g, struct buf *key, struct buf *value) {
    struct bounded_entry *e = bounded_next_change(&g->users);
    if (!e)
        return false;
    buf_add_char(key, 'g');
    buf_add(key, e->key);
    if (!e->gone)
        pack_account(value, (const struct account *)(void *)e);
    bounded_kept(&g->users, e);
    return true;
}

void guard_change_all(struct guard *g) { bounded_change_all(&g->users); }

static bool unpack_figures(struct unpack *u, struct account *a) {
    bool fits = true;
    for (int f = 0; f < GUARD_FIGURES; f++) {
        a->now[f] = unpack_u32(u);
        a->today[f] = unpack_u32(u);
        a->seen[f] = unpack_u32(u);
        a->past[f] = unpack_u64(u);
        fits = fits && a->now[f] <= NUMBER_MAX && a->today[f] <= NUMBER_MAX && a->seen[f] <= NUMBER_MAX &&
               a->past[f] <= (uint64_t)NUMBER_MAX * BASELINE_FINE;
    }
    return fits;
}

static bool unpack_account(struct slice value, struct account *a) {
    struct unpack u = {.rest = value};
    a->first.ms = unpack_i64(&u);
    a->hour = unpack_i64(&u);
    bool fits = unpack_figures(&u, a);
    uint8_t state = unpack_u8(&u);
    a->held = unpack_u32(&u);
    a->told = unpack_u8(&u) == 1;
    struct slice why = unpack_slice(&u);
    if (!unpack_end(&u) || !fits || why.n >= sizeof a->why || state < GUARD_NORMAL || state > GUARD_BLOCKED ||
        a->hour <= 0 || a->first.ms < 0)
        return false;
    a->state = (enum guard_state)state;
    if (why.n)
        memcpy(a->why, why.p, why.n);
    return true;
}

bool guard_load(struct guard *g, struct slice key, struct slice value) {
    struct account a = {.held = 0};
    if (key.n < 2 || key.p[0] != 'g' || !unpack_account(value, &a))
        return false;
    struct account *to = bounded_get(&g->users, slice_from(key, 1));
    bounded_pin(&g->users, &to->entry, false);
    a.entry = to->entry;
    // The lists go through the entry's own address.
    memcpy((char *)to + sizeof to->entry, (char *)&a + sizeof a.entry, sizeof a - sizeof a.entry);
    bounded_pin(&g->users, &to->entry, is_kept_back(to));
    g->untold |= to->state == GUARD_HOLDING && !to->told;
    bounded_kept(&g->users, &to->entry);
    return true;
}
