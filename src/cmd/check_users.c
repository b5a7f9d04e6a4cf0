// check_users: lines that can't be used, secrets that are there twice, files that others may read.
#include "cmd/check_users.h"

#include "base/map.h"
#include "core/auth/password.h"
#include "rt/disk/file.h"

#include <stdio.h>
#include <sys/stat.h>

enum { WARNINGS_MOST = 20, INDEX_MAX = 256 << 20 };

struct findings {
    const char *path;
    struct buf *warnings;
    size_t n; // of this file
    struct arena arena;
    struct map index; // user, ":", name of the secret, in lower case, to the line
    size_t users, without_keys;
};

static void warn(struct findings *f, unsigned line, const char *text) {
    if (f->n++ < WARNINGS_MOST)
        buf_addf(f->warnings, "%s:%u: warning: %s\n", f->path, line, text);
}

static void check_twice(struct findings *f, const struct password_record *r) {
    struct slice user, key;
    if (!sasl_user(&f->arena, r->user, &user))
        return;
    key = arena_printf(&f->arena, "%.*s:%.*s", SLICE_ARG(user), SLICE_ARG(r->name));
    for (size_t i = user.n; i < key.n; i++)
        ((char *)(uintptr_t)key.p)[i] = ascii_lower(key.p[i]);
    unsigned *line = key.n ? map_get(&f->index, key) : NULL;
    char text[128];
    if (line) {
        snprintf(text, sizeof text, "a second password of the same name; the other is in line %u", *line);
        warn(f, r->line, text);
    } else if (key.n && (line = ARENA_NEW(&f->arena, unsigned))) {
        *line = r->line;
        map_set(&f->index, key, line);
    }
}

static bool has_keys(const struct password_record *r) {
    for (size_t i = 0; i < r->hashes_n; i++)
        if (r->hashes[i].scheme == PASSWORD_SCRAM_SHA_256 || r->hashes[i].scheme == PASSWORD_NONE)
            return true;
    return false;
}

static void check_text(struct findings *f, struct slice text) {
    struct password_reader reader = {.rest = text};
    struct password_record r;
    struct err e;
    for (enum password_read got; (got = password_next(&reader, &r, &e)) != PASSWORD_READ_END;) {
        if (got == PASSWORD_READ_MISTAKE) {
            struct slice number, why = slice_str(e.text); // "line 7: why"
            slice_cut(why, ' ', &number, &why);
            slice_cut(why, ' ', &number, &why);
            warn(f, reader.line, why.p);
            continue;
        }
        f->users++;
        f->without_keys += !has_keys(&r);
        check_twice(f, &r);
    }
}

static void check_file(struct findings *f, bool scram) {
    struct buf text BUF_AUTO = {.max = PASSWORD_FILE_MAX};
    struct stat st;
    struct err e;
    if (!file_read(f->path, &text, &e)) {
        buf_addf(f->warnings, "%s: warning: it can't be read: %s\n", f->path, e.sys ? strerror(e.sys) : e.text);
        return;
    }
    if (stat(f->path, &st) == 0 && (st.st_mode & 077))
        buf_addf(f->warnings, "%s: warning: others than its owner may read it; make that: chmod 600\n", f->path);
    check_text(f, buf_slice(&text));
    if (f->n > WARNINGS_MOST)
        buf_addf(f->warnings, "%s: warning: and %zu more\n", f->path, f->n - WARNINGS_MOST);
    if (scram && f->without_keys)
        buf_addf(f->warnings,
                 "%s: warning: %zu of %zu passwords have no keys for SCRAM; \"posthouse user passwd\" makes them\n",
                 f->path, f->without_keys, f->users);
    if (text.p)
        explicit_bzero(text.p, text.n);
}

void check_users(const struct config *c, struct buf *warnings) {
    unsigned scram = 1u << CONFIG_MECHANISM_SCRAM_SHA_256 | 1u << CONFIG_MECHANISM_SCRAM_SHA_256_PLUS;
    for (size_t i = 0; i < c->auths_n; i++) {
        struct findings f = {.warnings = warnings, .arena = {.max = INDEX_MAX}};
        if (c->auths[i].kind != CONFIG_AUTH_FILE || !(f.path = arena_dup(&f.arena, c->auths[i].path).p))
            continue;
        check_file(&f, c->mechanisms & scram);
        map_done(&f.index);
        arena_done(&f.arena);
    }
}
