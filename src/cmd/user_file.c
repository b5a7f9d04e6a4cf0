// user_file: FILE.lock holds off other commands; the server only reads, and sees one whole file or the other.
#include "cmd/user_file.h"

#include "rt/disk/file.h"
#include "rt/disk/file_replace.h"
#include "svc/master/site.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 200 }; // of 50 ms

static int find_path(const struct args *a, struct user_file *f) {
    BUF_AUTO struct buf mistakes = {.max = SITE_MISTAKES_MAX};
    if (!site_read(a->config, &f->site, &mistakes)) {
        fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&mistakes)));
        return EX_CONFIG;
    }
    const struct config *c = f->site->config;
    for (size_t i = 0; i < c->auths_n && !f->path; i++)
        if (c->auths[i].kind == CONFIG_AUTH_FILE)
            f->path = arena_dup(&f->arena, c->auths[i].path).p;
    if (f->path)
        return EX_OK;
    fprintf(stderr, "%s: %s names no file of users; add, for example: auth file users\n", a->program, f->site->path);
    return EX_CONFIG;
}

static int failed(const struct args *a, const struct err *e) {
    fprintf(stderr, "%s: %s\n", a->program, e->text);
    return e->sys == EACCES || e->sys == EPERM ? EX_NOPERM : e->sys == ENOENT ? EX_NOINPUT : EX_IOERR;
}

static int lock(const struct args *a, struct user_file *f) {
    char path[PATH_MAX];
    int64_t holder = 0;
    struct err e = {0};
    snprintf(path, sizeof path, "%s.lock", f->path);
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (file_lock(path, &f->lock, &holder, &e))
            return EX_OK;
        if (e.sys != EWOULDBLOCK)
            return failed(a, &e);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    fprintf(stderr, "%s: %s is being changed by process %lld; try again\n", a->program, f->path, (long long)holder);
    return EX_TEMPFAIL;
}

static void tell_mistakes(const struct user_file *f) {
    struct password_reader r = {.rest = buf_slice(&f->text)};
    struct password_record record;
    struct err e;
    for (enum password_read got; (got = password_next(&r, &record, &e)) != PASSWORD_READ_END;)
        if (got == PASSWORD_READ_MISTAKE)
            fprintf(stderr, "%s: warning: %s\n", f->path, e.text);
}

int user_file_open(const struct args *a, bool change, struct user_file *f) {
    struct err e = {0};
    *f = (struct user_file){.arena = {.max = 16 * 1024}, .text = {.max = PASSWORD_FILE_MAX}, .lock = -1};
    int code = find_path(a, f);
    if (code == EX_OK && change)
        code = lock(a, f);
    if (code != EX_OK)
        return code;
    if (!file_read(f->path, &f->text, &e) && !(change && e.sys == ENOENT))
        return failed(a, &e);
    tell_mistakes(f);
    return EX_OK;
}

int user_file_save(const struct args *a, const struct user_file *f, struct slice text) {
    struct slice user = f->site->config->user;
    struct arena arena ARENA_AUTO = {.max = 4096};
    struct err e = {0};
    return file_replace(f->path, text, user.n ? arena_dup(&arena, user).p : NULL, &e) ? EX_OK : failed(a, &e);
}

void user_file_done(struct user_file *f) {
    if (f->lock >= 0)
        close(f->lock);
    if (f->text.p)
        explicit_bzero(f->text.p, f->text.n);
    buf_done(&f->text);
    arena_done(&f->arena);
    site_free(f->site);
}

bool user_file_find(const struct user_file *f, struct slice user, const struct slice *name,
                    struct password_record *out) {
    struct password_reader r = {.rest = buf_slice(&f->text)};
    struct password_record record;
    for (enum password_read got; (got = password_next(&r, &record, NULL)) != PASSWORD_READ_END;)
        if (got == PASSWORD_READ_RECORD && password_is_of(&record, user, name)) {
            *out = record;
            return true;
        }
    return false;
}
