// map: open addressing with linear probing; removed entries leave a grave until the next growth.
#include "base/map.h"

#include "base/mem.h"

#include <stdlib.h>

enum { MAP_FIRST = 16 };

struct map_slot {
    struct slice key;
    uint64_t hash;
    void *value; // NULL with key.p NULL: never used; NULL with key.p set: a grave
};

static const char grave[1];

void map_done(struct map *m) {
    free(m->slots);
    *m = (struct map){.key = m->key};
}

static struct map_slot *find(const struct map *m, struct slice key, uint64_t hash) {
    if (m->cap == 0)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *slot = &m->slots[i];
        if (!slot->value && !slot->key.p)
            return NULL;
        if (slot->value && slot->hash == hash && slice_eq(slot->key, key))
            return slot;
    }
}

static void insert_new(struct map *m, struct map_slot entry) {
    size_t i = entry.hash & (m->cap - 1);
    while (m->slots[i].value || m->slots[i].key.p)
        i = (i + 1) & (m->cap - 1);
    m->slots[i] = entry;
    m->n++;
    m->used++;
}

static void resize(struct map *m, size_t cap) {
    struct map old = *m;
    m->slots = mem_new(cap, sizeof *m->slots);
    m->cap = cap;
    m->n = m->used = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].value)
            insert_new(m, old.slots[i]);
    free(old.slots);
}

void *map_get(const struct map *m, struct slice key) {
    struct map_slot *slot = find(m, key, hash_sip(&m->key, key));
    return slot ? slot->value : NULL;
}

void map_set(struct map *m, struct slice key, void *value) {
    uint64_t hash = hash_sip(&m->key, key);
    struct map_slot *slot = find(m, key, hash);
    if (slot) {
        slot->key = key;
        slot->value = value;
        return;
    }
    if ((m->used + 1) * 4 > m->cap * 3)
        resize(m, m->n * 2 >= m->cap ? (m->cap ? m->cap * 2 : MAP_FIRST) : m->cap);
    insert_new(m, (struct map_slot){.key = key.p ? key : slice_of(grave, 0), .hash = hash, .value = value});
}

void *map_remove(struct map *m, struct slice key) {
    struct map_slot *slot = find(m, key, hash_sip(&m->key, key));
    if (!slot)
        return NULL;
    void *value = slot->value;
    *slot = (struct map_slot){.key = slice_of(grave, 0)};
    m->n--;
    return value;
}

void *map_next(const struct map *m, size_t *at) {
    while (*at < m->cap) {
        struct map_slot *slot = &m->slots[(*at)++];
        if (slot->value)
            return slot->value;
    }
    return NULL;
}
