// policy_keep: what changed goes to the store once a second, and comes back at a start. A store that is full or broken
// costs nothing but that: everything is in memory, and all of it is tried again a minute later.
#include "svc/policy/policy_inside.h"

enum { SLICE_MOST = 500, KEY_MAX = 512, VALUE_MAX = 4096 };

// --- at a start

struct loading {
    struct policy_service *s;
    size_t n, malformed;
};

static bool load_one(void *arg, struct slice key, struct slice value) {
    struct loading *l = arg;
    struct policy_service *s = l->s;
    bool ok = lockout_load(&s->lockout, key, value) || quota_load(&s->quota, key, value) ||
              guard_load(&s->guard, key, value) || policy_secrets_load(&s->secrets, key, value) ||
              standing_load(&s->standing, key, value) || greylist_load(&s->greylist, key, value) ||
              volume_load(&s->volume, key, value) || rates_load(&s->rates, key, value, policy_rates_now(s));
    l->n++;
    l->malformed += !ok;
    return true;
}

static void load(struct policy_service *s) {
    struct loading l = {.s = s};
    struct err e = {0};
    bool ok = store_each(s->store, SLICE_EMPTY, load_one, &l, &e);
    if (!ok || l.malformed)
        journal_event(s->world->journal, JOURNAL_WARNING, "policy-not-loaded", JOURNAL_UINT("entries", l.n),
                      JOURNAL_UINT("malformed", l.malformed), JOURNAL_ERR(&e));
}

// --- as it goes

static bool next_change(struct policy_service *s, struct buf *key, struct buf *value) {
    return lockout_next_change(&s->lockout, key, value) || quota_next_change(&s->quota, key, value) ||
           guard_next_change(&s->guard, key, value) || policy_secrets_next_change(&s->secrets, key, value) ||
           standing_next_change(&s->standing, key, value) || greylist_next_change(&s->greylist, key, value) ||
           volume_next_change(&s->volume, key, value) || rates_next_change(&s->rates, policy_rates_now(s), key, value);
}

// False in `*more` when nothing is left.
static bool put_slice(struct policy_service *s, bool *more, struct err *e) {
    BUF_AUTO struct buf key = {.max = KEY_MAX}, value = {.max = VALUE_MAX};
    for (size_t i = 0; i < SLICE_MOST; i++) {
        buf_reset(&key);
        buf_reset(&value);
        *more = next_change(s, &key, &value);
        if (!*more)
            break;
        bool ok = value.n ? store_put(s->store, buf_slice(&key), buf_slice(&value), e)
                          : store_remove(s->store, buf_slice(&key), e);
        if (!ok)
            return false;
    }
    return true;
}

// Questions are answered between the slices, where that can be: on a fiber.
static bool put_batch(struct policy_service *s, bool *more, struct err *e) {
    *more = true;
    for (size_t i = 0; i < POLICY_BATCH / SLICE_MOST && *more; i++) {
        if (i > 0 && fiber_self())
            fiber_yield();
        if (!put_slice(s, more, e))
            return false;
    }
    return store_commit(s->store, e);
}

static void forget_changes(struct policy_service *s) {
    BUF_AUTO struct buf key = {.max = KEY_MAX}, value = {.max = VALUE_MAX};
    do {
        buf_reset(&key);
        buf_reset(&value);
    } while (next_change(s, &key, &value));
}

static void note_failure(struct policy_service *s, const struct err *e) {
    if (!s->failing)
        journal_event(s->world->journal, JOURNAL_ERROR, "policy-not-kept", JOURNAL_ERR(e));
    s->failing = true;
    lockout_change_all(&s->lockout);
    quota_change_all(&s->quota);
    guard_change_all(&s->guard);
    bounded_change_all(&s->secrets.uses);
    standing_change_all(&s->standing);
    greylist_change_all(&s->greylist);
    volume_change_all(&s->volume);
    rates_change_all(&s->rates);
    s->changed = true;
}

void policy_keep(struct policy_service *s) {
    struct err e;
    bool more = false;
    s->changed = false;
    if (!s->store) {
        forget_changes(s);
        return;
    }
    bool ok = put_batch(s, &more, &e);
    metric_add_at(&s->metric, METRIC_POLICY_KEPT, ok ? METRIC_RESULT_OK : METRIC_RESULT_FAILED, 1);
    if (!ok) {
        note_failure(s, &e);
        return;
    }
    s->changed |= more; // others may have changed something meanwhile
    if (s->failing)
        journal_mark(s->world->journal, JOURNAL_INFO, "policy-kept-again");
    s->failing = false;
}

static void sweep(struct policy_service *s) {
    struct wall now = world_wall(s->world);
    lockout_sweep(&s->lockout, now);
    standing_sweep(&s->standing, now);
    greylist_sweep(&s->greylist, now);
    rates_sweep(&s->rates, loop_now(s->world->loop));
}

static void keep_as_it_goes(void *arg) {
    struct policy_service *s = arg;
    while (!fiber_cancelled()) {
        if (!s->changed)
            fiber_cond_wait(&s->changes, loop_in_ms(s->world->loop, POLICY_AGAIN_MS));
        sweep(s);
        if (fiber_sleep(s->failing ? POLICY_AGAIN_MS : POLICY_KEEP_MS))
            policy_keep(s);
    }
}

bool policy_load(struct policy_service *s, const char *why, struct err *e) {
    if (why && *why && s->store)
        journal_event(s->world->journal, JOURNAL_ERROR, "policy-store-renewed", JOURNAL_Z("error", why));
    else if (why && *why)
        journal_event(s->world->journal, JOURNAL_ERROR, "policy-in-memory", JOURNAL_Z("error", why));
    if (s->store)
        load(s);
    return fiber_spawn(&s->group, "keeper", keep_as_it_goes, s, e);
}
