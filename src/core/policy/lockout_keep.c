// lockout_keep: what lockout remembers as bytes, and back.
#include "core/policy/lockout_inside.h"

#include "base/pack.h"

static const char letters[LOCKOUT_KINDS] = {'a', 'i', 'n'};

static void pack_counter(struct buf *b, const struct lockout_counter *c) {
    pack_i64(b, c->start.ms);
    pack_u32(b, c->now);
    pack_u32(b, c->before);
    pack_u32(b, c->locks);
    pack_u32(b, c->led);
    pack_i64(b, c->until.ms);
}

static void pack_known(struct buf *b, const struct lockout_known *k) {
    for (uint32_t i = 0; i < k->n; i++) {
        pack_u8(b, (uint8_t)k->nets[i].net.base.family);
        pack_u8(b, k->nets[i].net.bits);
        buf_add(b, slice_of(k->nets[i].net.base.ip, sizeof k->nets[i].net.base.ip));
        pack_i64(b, k->nets[i].last.ms);
    }
}

bool lockout_next_change(struct lockout *l, struct buf *key, struct buf *value) {
    for (int k = 0; k <= LOCKOUT_KINDS; k++) {
        struct bounded *b = k < LOCKOUT_KINDS ? &l->counters[k] : &l->known;
        struct bounded_entry *e = bounded_next_change(b);
        if (!e)
            continue;
        buf_add_char(key, k < LOCKOUT_KINDS ? letters[k] : 'k');
        buf_add(key, e->key);
        if (!e->gone && k < LOCKOUT_KINDS)
            pack_counter(value, (const struct lockout_counter *)(void *)e);
        else if (!e->gone)
            pack_known(value, (const struct lockout_known *)(void *)e);
        bounded_kept(b, e);
        return true;
    }
    return false;
}

void lockout_change_all(struct lockout *l) {
    for (int k = 0; k < LOCKOUT_KINDS; k++)
        bounded_change_all(&l->counters[k]);
    bounded_change_all(&l->known);
}

static bool load_counter(struct lockout *l, int kind, struct slice name, struct unpack *u) {
    struct lockout_counter c = {.start = {unpack_i64(u)}};
    c.now = unpack_u32(u);
    c.before = unpack_u32(u);
    c.locks = unpack_u32(u);
    c.led = unpack_u32(u);
    c.until.ms = unpack_i64(u);
    if (!unpack_end(u) || c.start.ms < 0 || c.until.ms < 0)
        return false;
    struct lockout_counter *to = bounded_get(&l->counters[kind], name);
    c.entry = to->entry;
    *to = c;
    bounded_kept(&l->counters[kind], &to->entry);
    return true;
}

static bool unpack_network(struct unpack *u, struct lockout_network *n) {
    uint8_t family = unpack_u8(u);
    n->net.bits = unpack_u8(u);
    n->net.base.family = family == NETADDR_V4 ? NETADDR_V4 : NETADDR_V6;
    for (size_t i = 0; i < sizeof n->net.base.ip; i++)
        n->net.base.ip[i] = unpack_u8(u);
    n->last.ms = unpack_i64(u);
    return !u->bad && (family == NETADDR_V4 || family == NETADDR_V6) && n->net.bits == (family == NETADDR_V4 ? 24 : 48);
}

static bool load_known(struct lockout *l, struct slice name, struct unpack *u) {
    struct lockout_known k = {.n = 0};
    while (u->rest.n) {
        if (k.n == LOCKOUT_KNOWN_NETWORKS || !unpack_network(u, &k.nets[k.n]))
            return false;
        k.n++;
    }
    struct lockout_known *to = bounded_get(&l->known, name);
    k.entry = to->entry;
    *to = k;
    bounded_kept(&l->known, &to->entry);
    return true;
}

bool lockout_load(struct lockout *l, struct slice key, struct slice value) {
    struct unpack u = {.rest = value};
    struct slice name = slice_from(key, 1);
    for (int k = 0; k < LOCKOUT_KINDS && name.n; k++)
        if (key.p[0] == letters[k])
            return load_counter(l, k, name, &u);
    return name.n && key.p[0] == 'k' && load_known(l, name, &u);
}
