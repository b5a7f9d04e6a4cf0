// site: reading a configuration and what it names.
#include "svc/master/site.h"

#include "base/mem.h"
#include "rt/apart.h"
#include "rt/credential.h"
#include "rt/disk/file.h"
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

// --- keys; only in a copy of the process

static void wipe(struct buf *b) {
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

static bool check_pair(const struct config_certificate *c, struct err *e) {
    struct buf certificate = {.max = SITE_CREDENTIAL_MAX}, key = certificate;
    bool ok = read_named(c->certificate, &certificate, e) && read_named(c->key, &key, e) &&
              credential_check(buf_slice(&certificate), buf_slice(&key), e);
    buf_done(&certificate);
    wipe(&key);
    return ok;
}

static bool check_dkim(const struct config_dkim *d, struct err *e) {
    struct buf key = {.max = SITE_CREDENTIAL_MAX};
    bool ed25519;
    bool ok = read_named(d->key, &key, e) && credential_check_dkim(buf_slice(&key), &ed25519, e);
    wipe(&key);
    return ok;
}

static bool check_keys(void *arg, struct buf *mistakes) {
    const struct site *s = arg;
    const struct config *c = s->config;
    bool ok = true;
    struct err e;
    for (size_t i = 0; i < c->certificates_n; i++)
        if (!check_pair(&c->certificates[i], &e))
            ok = mistake(mistakes, s, c->certificates[i].place, "tls: ", &e);
    for (size_t i = 0; i < c->dkims_n; i++)
        if (!check_dkim(&c->dkims[i], &e))
            ok = mistake(mistakes, s, c->dkims[i].place, "dkim: ", &e);
    const struct config_arc *arc = &c->gate.arc;
    if (arc->key.n && !check_dkim(&(struct config_dkim){.key = arc->key}, &e))
        ok = mistake(mistakes, s, (struct config_place){0}, "arc: ", &e);
    return ok;
}

static bool is_readable(const struct site *s, struct slice name, const char *what, struct buf *mistakes) {
    struct err e;
    char *path = copy(name);
    bool ok = !name.n || file_readable(path, &e) || mistake(mistakes, s, (struct config_place){0}, what, &e);
    free(path);
    return ok;
}

static bool keys_are_good(struct site *s, struct buf *mistakes) {
    bool client_ca = is_readable(s, s->config->tls_client_ca, "tls client-ca: ", mistakes);
    bool ca = is_readable(s, s->config->tls_ca, "tls ca: ", mistakes);
    bool keys = !(s->config->certificates_n || s->config->dkims_n || s->config->gate.arc.key.n) ||
                apart_run(check_keys, s, mistakes);
    return client_ca && ca && keys;
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
    bool keys = keys_are_good(s, mistakes), tables = tables_are_readable(s, mistakes);
    if (!keys || !tables) {
        site_free(s);
        return false;
    }
    *out = s;
    return true;
}

void site_warn(const struct site *s, struct buf *warnings) {
    enum { WARN_S = 21 * 24 * 60 * 60 };
    int64_t now = world_kernel_ops.wall(NULL).ms / 1000, at;
    for (size_t i = 0; i < s->config->certificates_n; i++) {
        const struct config_certificate *c = &s->config->certificates[i];
        BUF_AUTO struct buf pem = {.max = SITE_CREDENTIAL_MAX};
        char place[4200];
        struct err e;
        if (!read_named(c->certificate, &pem, &e) || !credential_expiry(buf_slice(&pem), &at, &e) || at - now > WARN_S)
            continue;
        buf_addf(warnings, "%s: warning: tls: the certificate %s\n", site_place(s, c->place, place, sizeof place),
                 at < now ? "has expired" : "expires within 21 days");
    }
}

void site_free(struct site *s) {
    if (!s)
        return;
    config_free(s->config);
    buf_done(&s->text);
    free(s->path);
    free(s->directory);
    free(s);
}
