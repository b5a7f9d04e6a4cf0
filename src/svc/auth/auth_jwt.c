// auth_jwt: tokens that were signed for us, by a file of keys that is read again when it changes.
#include "svc/auth/auth_backend.h"
#include "svc/auth/auth_source.h"

#include "base/mem.h"
#include "core/auth/jwt.h"
#include "rt/aside.h"
#include "rt/journal.h"

#include <stdlib.h>

struct auth_jwt {
    struct auth_backend base;
    struct auth_means *means;
    const struct config_auth *config;
    struct auth_source source;
    struct jwt_keys *keys; // NULL: could never be read
};

static struct auth_jwt *of(struct auth_backend *b) { return LIST_ENTRY(b, struct auth_jwt, base); }

// A file that is no JWKS keeps the last good keys, as one that can't be read does.
static void parse_keys(void *arg) {
    struct auth_jwt *j = arg;
    BUF_AUTO struct buf text = {.max = JWT_KEYS_TEXT_MAX};
    struct journal *journal = j->means->world->journal;
    struct err e;
    if (!auth_source_changed(&j->source, &text))
        return;
    struct jwt_keys *keys = jwt_keys_parse(buf_slice(&text), &e);
    if (!keys) {
        journal_event(journal, JOURNAL_ERROR, "auth-file-mistake", JOURNAL_STR("file", j->source.path),
                      JOURNAL_BOOL("last-good", j->keys != NULL), JOURNAL_ERR(&e));
        return;
    }
    jwt_keys_free(j->keys);
    j->keys = keys;
    journal_event(journal, JOURNAL_INFO, "auth-file-loaded", JOURNAL_STR("file", j->source.path),
                  JOURNAL_UINT("keys", jwt_keys_count(keys)));
}

struct check {
    struct auth_jwt *jwt;
    const struct auth_question *q;
    struct arena *arena;
    struct slice user;
    struct err *e;
    bool ok;
};

// Aside: JSON nests as deep as a stranger likes.
static void run(void *arg) {
    struct check *c = arg;
    struct auth_jwt *j = c->jwt;
    struct jwt_wanted wanted = {j->config->issuer, j->config->audience, j->config->claim, world_wall(j->means->world)};
    parse_keys(j);
    c->ok = j->keys ? jwt_check(j->keys, c->q->secret, &wanted, c->arena, &c->user, c->e)
                    : err_set(c->e, ERR_TEMPORARY, "the file of keys for tokens can't be read");
}

static enum auth_verdict token(struct auth_backend *b, const struct auth_question *q, struct arena *arena,
                               struct auth_found *out, struct err *e) {
    struct check c = {.jwt = of(b), .q = q, .arena = arena, .e = e};
    if (!aside_run(run, &c)) {
        err_set(e, ERR_CANCELLED, "stopped");
        return AUTH_TROUBLE;
    }
    if (!c.ok)
        return err_is_permanent(e) ? AUTH_UNKNOWN : AUTH_TROUBLE;
    out->user = c.user;
    return AUTH_OK;
}

static void start(struct auth_backend *b) { parse_keys(of(b)); }

static void jwt_free(struct auth_backend *b) {
    struct auth_jwt *j = of(b);
    jwt_keys_free(j->keys);
    free(j);
}

static const struct auth_backend_ops ops = {.start = start, .token = token, .free = jwt_free};

struct auth_backend *auth_jwt_new(struct auth_means *m, const struct config_auth *c) {
    struct auth_jwt *j = MEM_NEW(struct auth_jwt);
    *j = (struct auth_jwt){
        .base = {.ops = &ops}, .means = m, .config = c, .source = {.world = m->world, .path = c->path}};
    return &j->base;
}
