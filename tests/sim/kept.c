// kept: what a process has of a store that is the house's.
#include "kept.h"

#include "base/mem.h"

#include <stdlib.h>

struct kept {
    struct store store;
    struct store *to;
    const bool *dead;
};

static struct kept *kept_of(struct store *s) { return (struct kept *)(void *)s; }

// What a dead process still would write while it unwinds is never written.
static bool is_dead(struct store *s) { return *kept_of(s)->dead; }

static bool get(struct store *s, struct slice key, struct buf *value, bool *found, struct err *e) {
    return store_get(kept_of(s)->to, key, value, found, e);
}

static bool put(struct store *s, struct slice key, struct slice value, struct err *e) {
    return is_dead(s) || store_put(kept_of(s)->to, key, value, e);
}

static bool forget(struct store *s, struct slice key, struct err *e) {
    return is_dead(s) || store_remove(kept_of(s)->to, key, e);
}

static bool walk(struct store *s, struct slice prefix, bool (*each)(void *arg, struct slice key, struct slice value),
                 void *arg, struct err *e) {
    return store_each(kept_of(s)->to, prefix, each, arg, e);
}

static bool commit(struct store *s, struct err *e) { return is_dead(s) || store_commit(kept_of(s)->to, e); }

static void end(struct store *s) { free(s); }

struct store *kept_lend(struct store *to, const bool *dead) {
    static const struct store_ops ops = {
        .get = get, .put = put, .remove = forget, .each = walk, .commit = commit, .free = end};
    struct kept *k = MEM_NEW(struct kept);
    *k = (struct kept){{&ops}, to, dead};
    return &k->store;
}
