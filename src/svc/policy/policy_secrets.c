// policy_secrets: times by user and secret.
#include "svc/policy/policy_secrets.h"

#include "base/pack.h"

struct use {
    struct bounded_entry entry;
    struct wall used;
};

void policy_secrets_init(struct policy_secrets *s, const struct hash_key *key) {
    bounded_init(&s->uses, sizeof(struct use), POLICY_SECRETS, key);
}

void policy_secrets_done(struct policy_secrets *s) { bounded_done(&s->uses); }

void policy_secrets_used(struct policy_secrets *s, struct slice user, struct slice secret, struct wall now) {
    BUF_AUTO struct buf key = {.max = 512};
    buf_add(&key, slice_upto(user, POLICY_SECRET_USER_MAX));
    buf_add_char(&key, 0);
    buf_add(&key, slice_upto(secret, POLICY_SECRET_NAME_MAX));
    struct use *u = bounded_get(&s->uses, buf_slice(&key));
    u->used = now;
}

void policy_secrets_list(const struct policy_secrets *s, struct slice user,
                         void (*each)(void *arg, struct slice user, struct slice secret, struct wall used), void *arg) {
    const struct use *u;
    for (size_t at = 0; (u = map_next(&s->uses.map, &at));) {
        struct slice name, secret;
        slice_cut(u->entry.key, 0, &name, &secret);
        if (!user.n || slice_eq(user, name))
            each(arg, name, secret, u->used);
    }
}

bool policy_secrets_next_change(struct policy_secrets *s, struct buf *key, struct buf *value) {
    struct bounded_entry *e = bounded_next_change(&s->uses);
    if (!e)
        return false;
    buf_add_char(key, 's');
    buf_add(key, e->key);
    if (!e->gone)
        pack_i64(value, ((const struct use *)(void *)e)->used.ms);
    bounded_kept(&s->uses, e);
    return true;
}

bool policy_secrets_load(struct policy_secrets *s, struct slice key, struct slice value) {
    struct unpack u = {.rest = value};
    struct wall used = {unpack_i64(&u)};
    if (key.n < 2 || key.p[0] != 's' || slice_find(key, 0) == key.n || !unpack_end(&u))
        return false;
    struct use *to = bounded_get(&s->uses, slice_from(key, 1));
    to->used = used;
    bounded_kept(&s->uses, &to->entry);
    return true;
}
