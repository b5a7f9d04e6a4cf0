// fuzz_policy_kept: what a disk gives back of lock-outs, quotas, the guard, and of strangers: a key's length, the key,
// the value. What is taken can be used, and is taken again when it is written again.
#include "core/policy/greylist.h"
#include "core/policy/guard.h"
#include "core/policy/lockout.h"
#include "core/policy/quota.h"
#include "core/policy/standing.h"
#include "core/policy/volume.h"

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

static void count_standing(void *arg, const struct standing_line *l) {
    char why[STANDING_WHY];
    standing_line_why(l, why);
    *(size_t *)arg += strlen(why) + 1;
}
static void count_greylist(void *arg, const struct greylist_line *l) {
    *(size_t *)arg += l->who.n + l->sender.n + l->recipient.n;
}

static void use_standing(struct standing *s, struct slice name) {
    struct netaddr client = {NETADDR_V4, {192, 0, 2, 1}, 0};
    struct standing_news news;
    size_t n = 0;
    (void)netaddr_parse_ip(name, &client);
    standing_list(s, SLICE_EMPTY, now, count_standing, &n);
    standing_list(s, name, now, count_standing, &n);
    (void)standing_of_client(s, &client, now);
    (void)standing_knows_domain(s, name, now);
    for (int what = 0; what < MESSAGE_SEEN_WHATS; what++)
        standing_seen(s, (enum message_seen_what)what, &client, name, now, &news);
}

static void standings(struct slice name, struct slice value) {
    static const struct config_shutout c = {30, 3600000, 600000, 86400000, 1000, 10000};
    BUF_AUTO struct buf k = {.max = 1 << 16}, v = {.max = 1 << 16};
    struct standing s;
    standing_init(&s, &c, &key);
    if (standing_load(&s, name, value)) {
        use_standing(&s, slice_from(name, 1));
        standing_change_all(&s);
        while (buf_reset(&k), buf_reset(&v), standing_next_change(&s, &k, &v))
            if (v.n && !standing_load(&s, buf_slice(&k), buf_slice(&v)))
                abort();
        standing_clear(&s, slice_from(name, 1), now);
        standing_clear(&s, SLICE_EMPTY, now);
        standing_sweep(&s, now);
    }
    standing_done(&s);
}

static void greylists(struct slice name, struct slice value) {
    static const struct config_greylist c = {120000, 86400000, 3024000000};
    BUF_AUTO struct buf k = {.max = 1 << 16}, v = {.max = 1 << 16};
    struct message_greylist m = {.client = {NETADDR_V4, {192, 0, 2, 1}, 0}, .sender = slice_from(name, 1)};
    struct greylist g;
    size_t n = 0;
    greylist_init(&g, &c, &key);
    if (greylist_load(&g, name, value)) {
        greylist_list(&g, SLICE_EMPTY, now, count_greylist, &n);
        greylist_list(&g, slice_from(name, 1), now, count_greylist, &n);
        (void)greylist_ask(&g, &m, now);
        m.domain = m.recipient = m.sender;
        (void)greylist_ask(&g, &m, now);
        greylist_wrote(&g, m.sender, now);
        greylist_change_all(&g);
        while (buf_reset(&k), buf_reset(&v), greylist_next_change(&g, &k, &v))
            if (v.n && !greylist_load(&g, buf_slice(&k), buf_slice(&v)))
                abort();
        greylist_clear(&g, slice_from(name, 1));
        greylist_sweep(&g, now);
    }
    greylist_done(&g);
}

static void volumes(struct slice name, struct slice value) {
    BUF_AUTO struct buf k = {.max = 1 << 16}, v = {.max = 1 << 16};
    struct volume all = {.changed = 0};
    if (!volume_load(&all, name, value))
        return;
    for (int f = 0; f < VOLUME_FIGURES; f++) {
        (void)volume_count(&all, (enum volume_figure)f, 1000, now);
        (void)volume_look(&all, (enum volume_figure)f, now);
    }
    if (!volume_next_change(&all, &k, &v) || !volume_load(&all, buf_slice(&k), buf_slice(&v)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct slice rest = slice_of(data + 1, size - 1), name = slice_upto(rest, data[0]),
                 value = slice_from(rest, data[0]);
    lockouts(name, value);
    quotas(name, value);
    guards(name, value);
    standings(name, value);
    greylists(name, value);
    volumes(name, value);
    return 0;
}
