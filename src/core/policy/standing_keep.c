// standing_keep: what standing remembers as bytes, and back.
#include "core/policy/standing_inside.h"

#include "base/pack.h"

static const char letters[STANDING_KINDS] = {'c', 'e', 'd'}, mark_letter = 'm';

static void pack_entry(struct buf *b, const struct standing_entry *e) {
    pack_i64(b, e->first.ms);
    pack_i64(b, e->last.ms);
    pack_u32(b, e->good);
    sliding_pack(b, &e->points);
    sliding_pack(b, &e->unknown);
    sliding_pack(b, &e->fine);
    for (int i = 0; i < MESSAGE_SEEN_WHATS; i++)
        pack_u16(b, e->did[i]);
    pack_u32(b, e->shuts);
    pack_u32(b, e->led);
    pack_i64(b, e->until.ms);
    pack_i64(b, e->probed.ms);
}

static bool unpack_entry(struct slice value, struct standing_entry *e) {
    struct unpack u = {.rest = value};
    e->first.ms = unpack_i64(&u);
    e->last.ms = unpack_i64(&u);
    e->good = unpack_u32(&u);
    sliding_unpack(&u, &e->points);
    sliding_unpack(&u, &e->unknown);
    sliding_unpack(&u, &e->fine);
    for (int i = 0; i < MESSAGE_SEEN_WHATS; i++)
        e->did[i] = unpack_u16(&u);
    e->shuts = unpack_u32(&u);
    e->led = unpack_u32(&u);
    e->until.ms = unpack_i64(&u);
    e->probed.ms = unpack_i64(&u);
    return unpack_end(&u) && e->first.ms >= 0 && e->last.ms >= 0 && e->until.ms >= 0 && e->probed.ms >= 0;
}

static bool next_mark(struct standing *s, struct buf *key, struct buf *value) {
    struct bounded_entry *e = bounded_next_change(&s->marks);
    if (!e)
        return false;
    const struct standing_marked *m = (const struct standing_marked *)(void *)e;
    buf_add_char(key, mark_letter);
    buf_add(key, e->key);
    if (!e->gone) {
        pack_u8(value, (uint8_t)m->mark);
        pack_i64(value, m->since.ms);
    }
    bounded_kept(&s->marks, e);
    return true;
}

// What people said comes first, whatever flood there is of the rest.
bool standing_next_change(struct standing *s, struct buf *key, struct buf *value) {
    if (next_mark(s, key, value))
        return true;
    for (int k = 0; k < STANDING_KINDS; k++) {
        struct bounded_entry *e = bounded_next_change(&s->by[k]);
        if (!e)
            continue;
        buf_add_char(key, letters[k]);
        buf_add(key, e->key);
        if (!e->gone)
            pack_entry(value, standing_entry_of(e));
        bounded_kept(&s->by[k], e);
        return true;
    }
    return false;
}

void standing_change_all(struct standing *s) {
    for (int k = 0; k < STANDING_KINDS; k++)
        bounded_change_all(&s->by[k]);
    bounded_change_all(&s->marks);
}

static bool load_entry(struct bounded *b, struct slice name, struct slice value) {
    struct standing_entry e = {.good = 0};
    if (!unpack_entry(value, &e))
        return false;
    struct standing_entry *to = bounded_get(b, name);
    e.entry = to->entry; // the lists go through the entry's own address
    *to = e;
    bounded_kept(b, &to->entry);
    return true;
}

static bool load_mark(struct standing *s, struct slice name, struct slice value) {
    struct unpack u = {.rest = value};
    uint8_t mark = unpack_u8(&u);
    struct wall since = {unpack_i64(&u)};
    if (!unpack_end(&u) || (mark != STANDING_BLOCKED && mark != STANDING_ALLOWED) || since.ms < 0 ||
        !standing_set_mark(s, name, (enum standing_mark)mark, since))
        return false;
    struct bounded_entry *e = bounded_find(&s->marks, name);
    if (e)
        bounded_kept(&s->marks, e);
    return e != NULL;
}

bool standing_load(struct standing *s, struct slice key, struct slice value) {
    struct slice name = slice_from(key, 1);
    for (int k = 0; k < STANDING_KINDS && name.n; k++)
        if (key.p[0] == letters[k])
            return load_entry(&s->by[k], name, value);
    return name.n && key.p[0] == mark_letter && load_mark(s, name, value);
}
