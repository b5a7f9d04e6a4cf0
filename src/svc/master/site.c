// site: reading a configuration and what it names.
#include "svc/master/site.h"

#include "base/mem.h"
#include "rt/credential.h"
#include "rt/file.h"
#include "rt/world.h"

#include <stdio.h>
#include <stdlib.h>

static char *copy(struct slice s) {
    char *p = mem_new(s.n + 1, 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

const char *site_place(const struct site *s, struct config_place place, char *to, size_t size) {
    if (place.line)
        snprintf(to, size, "%s:%u", s->path, place.line);
    else
        snprintf(to, size, "%s", s->path);
    return to;
}

static bool mistake(struct buf *mistakes, const struct site *s, struct config_place place, const char *what,
                    const struct err *e) {
    char at[4200];
    buf_addf(mistakes, "%s: %s%s\n", site_place(s, place, at, sizeof at), what, e->text);
    return false;
}

static bool set_paths(struct site *s, const char *path, struct err *e) {
    s->path = realpath(path, NULL);
    if (!s->path)
        return file_readable(path, e);
    struct slice all = slice_str(s->path);
    size_t slash = slice_rfind(all, '/');
    s->directory = copy(slash ? slice_upto(all, slash) : SLICE("/"));
    return true;
}

static bool read_text(struct site *s, const char *path, struct buf *mistakes) {
    struct err e;
    if (set_paths(s, path, &e) && file_read(s->path, &s->text, &e))
        return true;
    buf_addf(mistakes, "%s; name the configuration with -c FILE\n", e.text);
    return false;
}

static bool parse(struct site *s, struct buf *mistakes) {
    struct config_report report = {0};
    s->config = config_parse(buf_slice(&s->text), slice_str(s->directory), &report);
    for (size_t i = 0; !s->config && i < report.n; i++)
        buf_addf(mistakes, "%s:%u:%u: %.*s\n", s->path, report.mistakes[i].place.line, report.mistakes[i].place.column,
                 SLICE_ARG(report.mistakes[i].text));
    config_report_done(&report);
    return s->config != NULL;
}

static bool read_named(struct slice name, struct buf *to, struct err *e) {
    char *path = copy(name);
    bool ok = file_read(path, to, e);
    free(path);
    return ok;
}

static bool read_credentials(struct site *s, struct buf *mistakes) {
    struct err e;
    const struct config *c = s->config;
    if (!c->certificates_n)
        return true;
    if (!read_named(c->certificates->certificate, &s->certificate, &e) ||
        !read_named(c->certificates->key, &s->key, &e))
        return mistake(mistakes, s, c->certificates->place, "tls: ", &e);
    int64_t now = world_kernel_ops.wall(NULL).ms / 1000;
    return credential_check(buf_slice(&s->certificate), buf_slice(&s->key), now, &e) ||
           mistake(mistakes, s, c->certificates->place, "tls: ", &e);
}

static bool tables_are_readable(const struct site *s, struct buf *mistakes) {
    bool ok = true;
    for (size_t i = 0; i < s->config->tables_n; i++) {
        const struct config_table *t = &s->config->tables[i];
        struct err e;
        char *path = copy(t->path);
        char what[128];
        snprintf(what, sizeof what, "table %.*s: ", SLICE_ARG(slice_upto(t->name, 100)));
        if (t->path.n && !file_readable(path, &e))
            ok = mistake(mistakes, s, t->place, what, &e);
        free(path);
    }
    return ok;
}

bool site_read(const char *path, struct site **out, struct buf *mistakes) {
    struct site *s = MEM_NEW(struct site);
    s->text.max = SITE_TEXT_MAX;
    s->certificate.max = s->key.max = SITE_CREDENTIAL_MAX;
    if (!read_text(s, path, mistakes) || !parse(s, mistakes)) {
        site_free(s);
        return false;
    }
    *out = s;
    return true;
}

bool site_load(const char *path, struct site **out, struct buf *mistakes) {
    struct site *s;
    if (!site_read(path, &s, mistakes))
        return false;
    bool tls = read_credentials(s, mistakes), tables = tables_are_readable(s, mistakes);
    if (!tls || !tables) {
        site_free(s);
        return false;
    }
    *out = s;
    return true;
}

static void wipe(struct buf *b) {
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

void site_free(struct site *s) {
    if (!s)
        return;
    config_free(s->config);
    buf_done(&s->text);
    buf_done(&s->certificate);
    wipe(&s->key);
    free(s->path);
    free(s->directory);
    free(s);
}
