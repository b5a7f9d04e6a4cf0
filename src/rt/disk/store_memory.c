// store_memory: a store without a disk: a map, ordered when somebody walks it. A batch is at once what it will be.
#include "rt/disk/store.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>

struct item {
    struct slice key, value; // behind it
    char bytes[];
};

struct store_memory {
    struct store store;
    struct map map;
};

static struct store_memory *memory_of(struct store *s) { return (struct store_memory *)(void *)s; }

static bool get(struct store *s, struct slice key, struct buf *value, bool *found, struct err *e) {
    const struct item *i = map_get(&memory_of(s)->map, key);
    if (i && !buf_add(value, i->value))
        return err_set(e, ERR_TEMPORARY, "a value that is too large");
    *found = i != NULL;
    return true;
}

static bool put(struct store *s, struct slice key, struct slice value, struct err *e) {
    struct map *map = &memory_of(s)->map;
    struct item *i = mem_new(1, sizeof *i + key.n + value.n);
    memcpy(i->bytes, key.p, key.n);
    if (value.n)
        memcpy(i->bytes + key.n, value.p, value.n);
    i->key = slice_of(i->bytes, key.n);
    i->value = slice_of(i->bytes + key.n, value.n);
    free(map_remove(map, key));
    map_set(map, i->key, i);
    return true;
}

static bool forget(struct store *s, struct slice key, struct err *e) {
    free(map_remove(&memory_of(s)->map, key));
    return true;
}

static int by_key(const void *a, const void *b) {
    return slice_cmp((*(struct item *const *)a)->key, (*(struct item *const *)b)->key);
}

static bool walk(struct store *s, struct slice prefix, bool (*each)(void *arg, struct slice key, struct slice value),
                 void *arg, struct err *e) {
    struct map *map = &memory_of(s)->map;
    struct item **all = mem_new(map->n + 1, sizeof *all), *i;
    size_t n = 0;
    for (size_t at = 0; (i = map_next(map, &at));)
        if (slice_starts(i->key, prefix))
            all[n++] = i;
    qsort(all, n, sizeof *all, by_key);
    for (size_t k = 0; k < n && each(arg, all[k]->key, all[k]->value); k++) {
    }
    free(all);
    return true;
}

static bool commit(struct store *s, struct err *e) { return true; }

static void end(struct store *s) {
    struct map *map = &memory_of(s)->map;
    struct item *i;
    for (size_t at = 0; (i = map_next(map, &at));)
        free(i);
    map_done(map);
    free(s);
}

struct store *store_memory_new(void) {
    static const struct store_ops ops = {
        .get = get, .put = put, .remove = forget, .each = walk, .commit = commit, .free = end};
    struct store_memory *m = MEM_NEW(struct store_memory);
    *m = (struct store_memory){.store = {.ops = &ops}, .map = {.key = {{0x9e3779b97f4a7c15, (uint64_t)(size_t)m}}}};
    return &m->store;
}
