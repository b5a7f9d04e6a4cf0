// store: what all kinds share: keys and values that fit.
#include "rt/disk/store.h"

static bool key_fits(struct slice key, struct err *e) {
    return (key.n > 0 && key.n <= STORE_KEY_MAX) || err_set(e, ERR_BUG, "a key of %zu bytes for the store", key.n);
}

bool store_get(struct store *s, struct slice key, struct buf *value, bool *found, struct err *e) {
    return key_fits(key, e) && s->ops->get(s, key, value, found, e);
}

bool store_put(struct store *s, struct slice key, struct slice value, struct err *e) {
    if (value.n > STORE_VALUE_MAX)
        return err_set(e, ERR_BUG, "a value of %zu bytes for the store", value.n);
    return key_fits(key, e) && s->ops->put(s, key, value, e);
}

bool store_remove(struct store *s, struct slice key, struct err *e) {
    return key_fits(key, e) && s->ops->remove(s, key, e);
}

bool store_each(struct store *s, struct slice prefix, bool (*each)(void *arg, struct slice key, struct slice value),
                void *arg, struct err *e) {
    return s->ops->each(s, prefix, each, arg, e);
}

bool store_commit(struct store *s, struct err *e) { return s->ops->commit(s, e); }

void store_free(struct store *s) {
    if (s)
        s->ops->free(s);
}
