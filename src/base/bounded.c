// bounded: a map, a list by age and a list of what changed.
#include "base/bounded.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

void bounded_init(struct bounded *b, size_t size, size_t max, const struct hash_key *key) {
    assert(size >= sizeof(struct bounded_entry) && max > 0);
    *b = (struct bounded){.map = {.key = *key}, .size = size, .max = max};
    list_init(&b->age);
    list_init(&b->changed);
    list_init(&b->gone);
}

void bounded_done(struct bounded *b) {
    struct bounded_entry *e;
    struct list *at;
    for (size_t i = 0; (e = map_next(&b->map, &i));)
        free(e);
    while ((at = list_shift(&b->gone)))
        free(LIST_ENTRY(at, struct bounded_entry, changed));
    map_done(&b->map);
}

void *bounded_find(const struct bounded *b, struct slice key) { return map_get(&b->map, key); }

static struct bounded_entry *add(struct bounded *b, struct slice key) {
    char *p = mem_new(1, b->size + key.n);
    struct bounded_entry *e = (struct bounded_entry *)(void *)p;
    if (key.n)
        memcpy(p + b->size, key.p, key.n);
    e->key = slice_of(p + b->size, key.n);
    while (b->map.n - b->pinned >= b->max && !list_empty(&b->age))
        bounded_remove(b, bounded_oldest(b));
    map_set(&b->map, e->key, e);
    list_append(&b->age, &e->age);
    return e;
}

void *bounded_get(struct bounded *b, struct slice key) {
    struct bounded_entry *e = map_get(&b->map, key);
    if (!e)
        e = add(b, key);
    bounded_changed(b, e);
    return e;
}

void bounded_touch(struct bounded *b, struct bounded_entry *e) {
    if (!list_linked(&e->age))
        return;
    list_remove(&e->age);
    list_append(&b->age, &e->age);
}

void bounded_changed(struct bounded *b, struct bounded_entry *e) {
    if (!list_linked(&e->changed))
        list_append(&b->changed, &e->changed);
    bounded_touch(b, e);
}

void bounded_pin(struct bounded *b, struct bounded_entry *e, bool pin) {
    if (pin && list_linked(&e->age)) {
        list_remove(&e->age);
        b->pinned++;
    } else if (!pin && !list_linked(&e->age)) {
        list_append(&b->age, &e->age);
        b->pinned--;
    }
}

void bounded_remove(struct bounded *b, struct bounded_entry *e) {
    bounded_pin(b, e, false);
    map_remove(&b->map, e->key);
    list_remove(&e->age);
    list_remove(&e->changed);
    e->gone = true;
    if (e->kept)
        list_append(&b->gone, &e->changed);
    else
        free(e);
}

struct bounded_entry *bounded_oldest(const struct bounded *b) {
    return list_empty(&b->age) ? NULL : LIST_ENTRY(b->age.next, struct bounded_entry, age);
}

struct bounded_entry *bounded_next_change(const struct bounded *b) {
    const struct list *from = list_empty(&b->gone) ? &b->changed : &b->gone;
    return list_empty(from) ? NULL : LIST_ENTRY(from->next, struct bounded_entry, changed);
}

void bounded_kept(struct bounded *b, struct bounded_entry *e) {
    list_remove(&e->changed);
    e->kept = true;
    if (e->gone)
        free(e);
}

void bounded_unchanged(struct bounded *b, struct bounded_entry *e) {
    assert(!e->gone && b->map.n > 0);
    list_remove(&e->changed);
}

void bounded_change_all(struct bounded *b) {
    struct bounded_entry *e;
    for (size_t i = 0; (e = map_next(&b->map, &i));)
        if (!list_linked(&e->changed))
            list_append(&b->changed, &e->changed);
}
