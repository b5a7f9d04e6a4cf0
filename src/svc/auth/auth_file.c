// auth_file: a password file as a back end, read again when it changes. What a line gets wrong is told once for each
// reading; the other lines work, and while the file can't be read at all the last good one does.
#include "svc/auth/auth_backend.h"
#include "svc/auth/auth_hash.h"
#include "svc/auth/auth_source.h"
#include "svc/auth/auth_users.h"

#include "base/mem.h"
#include "rt/journal.h"

#include <stdlib.h>

enum { MISTAKES_TOLD = 20 }; // of one reading

struct auth_file {
    struct auth_backend base;
    struct auth_means *means;
    struct auth_source source;
    struct auth_users *users; // NULL: could never be read
    size_t mistakes;
};

static struct auth_file *of(struct auth_backend *b) { return LIST_ENTRY(b, struct auth_file, base); }

static void tell_mistake(void *arg, const struct err *e) {
    struct auth_file *f = arg;
    if (f->mistakes++ < MISTAKES_TOLD)
        journal_event(f->means->world->journal, JOURNAL_WARNING, "auth-file-mistake",
                      JOURNAL_STR("file", f->source.path), JOURNAL_ERR(e));
}

static struct auth_users *users_now(struct auth_file *f, struct err *e) {
    struct buf text = {.max = PASSWORD_FILE_MAX};
    if (auth_source_changed(&f->source, &text)) {
        struct world *w = f->means->world;
        f->mistakes = 0;
        auth_users_free(f->users);
        f->users =
            auth_users_new(&text, (struct hash_key){{world_random_u64(w), world_random_u64(w)}}, tell_mistake, f);
        journal_event(w->journal, JOURNAL_INFO, "auth-file-loaded", JOURNAL_STR("file", f->source.path),
                      JOURNAL_UINT("users", auth_users_count(f->users)), JOURNAL_UINT("mistakes", f->mistakes));
    }
    if (!f->users)
        err_set(e, ERR_TEMPORARY, "the password file can't be read");
    return f->users;
}

static enum auth_verdict password(struct auth_backend *b, const struct auth_question *q, struct arena *arena,
                                  struct auth_found *out, struct err *e) {
    struct auth_file *f = of(b);
    struct auth_users *users = users_now(f, e);
    struct auth_secret *secrets;
    size_t n, which;
    if (!users)
        return AUTH_TROUBLE;
    if (!auth_users_find(users, q->user, arena, &secrets, &n))
        return AUTH_UNKNOWN;
    if (!auth_hash_check(f->means, q, secrets, n, &which, e))
        return AUTH_TROUBLE;
    if (which == n) {
        err_set(e, ERR_PERMANENT, "wrong password");
        return AUTH_WRONG;
    }
    out->secret = secrets[which].name;
    return AUTH_OK;
}

// All that share salt and iterations with the first that has keys: SCRAM tells them to the client once.
static size_t take_keys(const struct auth_secret *from, size_t n, enum digest_kind digest, struct scram_keys *keys,
                        struct slice *names, const struct password_scram **like) {
    size_t taken = 0;
    for (size_t i = 0; i < n; i++) {
        const struct password_scram *s = &from[i].scram[digest];
        if (!from[i].has_scram[digest])
            continue;
        *like = *like ? *like : s;
        if (!auth_hash_same_salt(s, *like))
            continue;
        keys[taken] = s->keys;
        names[taken++] = from[i].name;
    }
    return taken;
}

static enum auth_verdict scram(struct auth_backend *b, struct slice user, enum digest_kind digest, struct arena *arena,
                               struct sasl_scram *out, struct err *e) {
    struct auth_users *users = users_now(of(b), e);
    const struct password_scram *like = NULL;
    struct auth_secret *secrets;
    size_t n;
    if (!users)
        return AUTH_TROUBLE;
    if (!auth_users_find(users, user, arena, &secrets, &n))
        return AUTH_UNKNOWN;
    struct scram_keys *keys = arena_alloc(arena, (n + 1) * sizeof *keys);
    struct slice *names = arena_alloc(arena, (n + 1) * sizeof *names);
    size_t taken = keys && names ? take_keys(secrets, n, digest, keys, names, &like) : 0;
    if (!taken) {
        err_set(e, ERR_PERMANENT, "the user has no keys for SCRAM: \"posthouse user passwd\" makes them");
        return AUTH_WRONG;
    }
    *out = (struct sasl_scram){.iterations = like->iterations, .salt = slice_of(like->salt, like->salt_n)};
    out->keys = keys;
    out->names = names;
    out->n = taken;
    return AUTH_OK;
}

static enum auth_verdict knows(struct auth_backend *b, struct slice user, struct err *e) {
    ARENA_AUTO struct arena arena = {.max = 1024 * 1024};
    struct auth_users *users = users_now(of(b), e);
    struct auth_secret *secrets;
    size_t n;
    if (!users)
        return AUTH_TROUBLE;
    return auth_users_find(users, user, &arena, &secrets, &n) ? AUTH_OK : AUTH_UNKNOWN;
}

static void waste(struct auth_backend *b, const struct auth_question *q) {
    struct auth_file *f = of(b);
    struct err ignored;
    if (f->users)
        auth_hash_waste(f->means, q, &auth_users_usual(f->users)->hash, &ignored);
}

static bool fake(struct auth_backend *b, struct sasl_facts *out) {
    struct err ignored;
    struct auth_users *users = users_now(of(b), &ignored);
    if (!users || !auth_users_count(users))
        return false;
    const struct auth_usual *usual = auth_users_usual(users);
    out->fake_secret = slice_of(usual->secret, sizeof usual->secret);
    out->fake_iterations = usual->iterations;
    out->fake_salt_n = usual->salt_n;
    return true;
}

static void start(struct auth_backend *b) {
    struct err ignored;
    (void)users_now(of(b), &ignored);
}

static void file_free(struct auth_backend *b) {
    struct auth_file *f = of(b);
    auth_users_free(f->users);
    free(f);
}

static const struct auth_backend_ops ops = {.start = start,
                                            .password = password,
                                            .scram = scram,
                                            .knows = knows,
                                            .waste = waste,
                                            .fake = fake,
                                            .free = file_free};

struct auth_backend *auth_file_new(struct auth_means *m, const struct config_auth *c) {
    struct auth_file *f = MEM_NEW(struct auth_file);
    *f = (struct auth_file){.base = {.ops = &ops}, .means = m, .source = {.world = m->world, .path = c->path}};
    return &f->base;
}
