// auth_users: records in an array, those of a user in a chain.
#include "svc/auth/auth_users.h"

#include "base/mem.h"

#include <stdlib.h>

enum { TALLIES = 16, NAME_ARENA_MAX = 4096 };

struct record {
    struct password_record is;
    size_t next; // of the same user: index + 1; 0 ends
};

struct user {
    struct slice name;  // lower case
    size_t first, last; // index + 1
    struct user *older; // all of them
};

struct tally {
    enum password_scheme scheme;
    uint32_t iterations;
    size_t salt_n;
    struct password_hash like;
    size_t n;
};

struct auth_users {
    struct buf text;
    struct record *records;
    size_t n, cap, users_n;
    struct map index;
    struct user *newest;
    struct arena names;
    struct tally tallies[TALLIES];
    struct auth_usual usual;
};

static struct user *user_of(struct auth_users *u, struct slice name) {
    struct user *user = map_get(&u->index, name);
    if (user)
        return user;
    struct slice kept = arena_dup(&u->names, name);
    if (!kept.p)
        return NULL;
    user = MEM_NEW(struct user);
    *user = (struct user){.name = kept, .older = u->newest};
    u->newest = user;
    u->users_n++;
    map_set(&u->index, kept, user);
    return user;
}

// By what a password would be checked: SCRAM keys where there are some, since all of a user's secrets share one salt
// then, and one derivation tells which of them it is.
static bool usual_form(const struct password_record *r, struct tally *t) {
    struct password_scram scram;
    for (size_t i = 0; i < r->hashes_n; i++)
        if (r->hashes[i].scheme == PASSWORD_SCRAM_SHA_256 && password_scram(r, DIGEST_SHA256, &scram)) {
            *t = (struct tally){PASSWORD_SCRAM_SHA_256, scram.iterations, scram.salt_n, r->hashes[i], 0};
            return true;
        }
    const struct password_hash *plain = password_plain(r);
    if (plain)
        *t = (struct tally){.scheme = plain->scheme, .like = *plain};
    return plain != NULL;
}

static void count_form(struct auth_users *u, const struct password_record *r) {
    struct tally t;
    if (!usual_form(r, &t))
        return;
    for (size_t i = 0; i < TALLIES; i++) {
        struct tally *at = &u->tallies[i];
        if (at->n == 0)
            *at = t;
        if (at->scheme == t.scheme && at->iterations == t.iterations && at->salt_n == t.salt_n) {
            at->n++;
            return;
        }
    }
}

static void add(struct auth_users *u, const struct password_record *r) {
    ARENA_AUTO struct arena arena = {.max = NAME_ARENA_MAX};
    struct slice name;
    struct user *user = sasl_user(&arena, r->user, &name) ? user_of(u, name) : NULL;
    if (!user)
        return;
    if (u->n == u->cap) {
        u->cap = u->cap ? 2 * u->cap : 64;
        u->records = mem_grow(u->records, u->cap, sizeof *u->records);
    }
    u->records[u->n++] = (struct record){.is = *r};
    if (user->first)
        u->records[user->last - 1].next = u->n;
    else
        user->first = u->n;
    user->last = u->n;
    count_form(u, r);
}

static void find_usual(struct auth_users *u) {
    const struct tally *most = NULL, *scram = NULL;
    for (size_t i = 0; i < TALLIES && u->tallies[i].n; i++) {
        const struct tally *t = &u->tallies[i];
        if (!most || t->n > most->n)
            most = t;
        if (t->iterations && (!scram || t->n > scram->n))
            scram = t;
    }
    if (most)
        u->usual.hash = most->like;
    if (scram) {
        u->usual.iterations = scram->iterations;
        u->usual.salt_n = scram->salt_n;
    }
    if (u->n)
        digest_hmac(DIGEST_SHA256, u->records[0].is.hashes[0].text, SLICE("salts of nobody"), u->usual.secret);
}

struct auth_users *auth_users_new(struct buf *text, struct hash_key key,
                                  void (*mistake)(void *arg, const struct err *e), void *arg) {
    struct auth_users *u = MEM_NEW(struct auth_users);
    *u = (struct auth_users){.text = *text, .index = {.key = key}, .names = {.max = 2 * (size_t)PASSWORD_FILE_MAX}};
    *text = (struct buf){.max = text->max};
    struct password_reader reader = {.rest = buf_slice(&u->text)};
    for (;;) {
        struct password_record record;
        struct err e;
        switch (password_next(&reader, &record, &e)) {
        case PASSWORD_READ_RECORD:
            add(u, &record);
            break;
        case PASSWORD_READ_MISTAKE:
            mistake(arg, &e);
            break;
        case PASSWORD_READ_END:
            find_usual(u);
            return u;
        }
    }
}

void auth_users_free(struct auth_users *u) {
    if (!u)
        return;
    for (struct user *at = u->newest, *older; at; at = older) {
        older = at->older;
        free(at);
    }
    map_done(&u->index);
    arena_done(&u->names);
    free(u->records);
    if (u->text.p)
        explicit_bzero(u->text.p, u->text.cap);
    buf_done(&u->text);
    free(u);
}

size_t auth_users_count(const struct auth_users *u) { return u->users_n; }
const struct auth_usual *auth_users_usual(const struct auth_users *u) { return &u->usual; }

static bool take_secret(const struct password_record *r, struct arena *arena, struct auth_secret *to) {
    const struct password_hash *plain = password_plain(r);
    *to = (struct auth_secret){.name = arena_dup(arena, r->name)};
    to->has_scram[DIGEST_SHA1] = password_scram(r, DIGEST_SHA1, &to->scram[DIGEST_SHA1]);
    to->has_scram[DIGEST_SHA256] = password_scram(r, DIGEST_SHA256, &to->scram[DIGEST_SHA256]);
    if (plain)
        to->hash = (struct password_hash){.scheme = plain->scheme, .text = arena_dup(arena, plain->text)};
    return (to->name.p || !r->name.n) && (!plain || to->hash.text.p);
}

bool auth_users_find(const struct auth_users *u, struct slice name, struct arena *arena, struct auth_secret **out,
                     size_t *n) {
    const struct user *user = map_get(&u->index, name);
    struct auth_secret *to = user ? arena_alloc(arena, SASL_SECRETS_MAX * sizeof *to) : NULL;
    *n = 0;
    if (!to)
        return false;
    for (size_t at = user->first; at && *n < SASL_SECRETS_MAX; at = u->records[at - 1].next)
        if (take_secret(&u->records[at - 1].is, arena, &to[*n]))
            (*n)++;
    *out = to;
    return true;
}
