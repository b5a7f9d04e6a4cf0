// fuzz_policy_kept: what a disk gives back of lock-outs, quotas and the guard: a key's length, the key, the value. What
// is taken can be used, and is taken again when it is written again.
#include "core/guard.h"
#include "core/lockout.h"
#include "core/quota.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hash_key key = {{1, 2}};
static const struct wall now = {1700000000000};

static void lockouts(struct slice name, struct slice value) {
    static const struct config_lockout c = {5, 5, 5, 900000, 60000, 3600000, 1000, 8000};
    BUF_AUTO struct buf k = {.max = 1 << 16}, v = {.max = 1 << 16};
    struct lockout_lock began[LOCKOUT_KINDS];
    struct netaddr client = {NETADDR_V4, {192, 0, 2, 1}, 0};
    struct lockout l;
    lockout_init(&l, &c, &key);
    if (lockout_load(&l, name, value)) {
        (void)lockout_try(&l, &client, false, slice_from(name, 1), now);
        lockout_tried(&l, &client, false, slice_from(name, 1), false, now, began);
        lockout_tried(&l, &client, false, slice_from(name, 1), true, now, began);
        lockout_change_all(&l);
        while (buf_reset(&k), buf_reset(&v), lockout_next_change(&l, &k, &v))
            if (v.n && !lockout_load(&l, buf_slice(&k), buf_slice(&v)))
                abort();
    }
    lockout_done(&l);
}

static void quotas(struct slice name, struct slice value) {
    static const struct config_quota c = {3, 3, 3, 3, 0};
    BUF_AUTO struct buf k = {.max = 1 << 16}, v = {.max = 1 << 16};
    struct quota_refusal refusal;
    struct quota q;
    quota_init(&q, &key);
    if (quota_load(&q, name, value)) {
        (void)quota_allows(&q, &c, slice_from(name, 1), 1, 1, now, &refusal);
        quota_count(&q, slice_from(name, 1), 1, now);
        if (!quota_next_change(&q, &k, &v) || !quota_load(&q, buf_slice(&k), buf_slice(&v)))
            abort();
    }
    quota_done(&q);
}

static void guards(struct slice name, struct slice value) {
    static const struct config_guard c = {true, 1000, 5, 50, {0}};
    BUF_AUTO struct buf k = {.max = 1 << 16}, v = {.max = 1 << 16};
    struct guard g;
    guard_init(&g, &c, &key);
    if (guard_load(&g, name, value)) {
        guard_count(&g, slice_from(name, 1), 7, 1, now);
        guard_release(&g, slice_from(name, 1), now);
        if (!guard_next_change(&g, &k, &v) || !guard_load(&g, buf_slice(&k), buf_slice(&v)))
            abort();
    }
    guard_done(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct slice rest = slice_of(data + 1, size - 1), name = slice_upto(rest, data[0]),
                 value = slice_from(rest, data[0]);
    lockouts(name, value);
    quotas(name, value);
    guards(name, value);
    return 0;
}
