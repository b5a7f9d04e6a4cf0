// cmd_check: every mistake and every doubtful thing in a configuration and in the tables it names.
#include "cmd/check_users.h"
#include "cmd/cmd.h"

#include "base/json.h"
#include "core/config/config_warn.h"
#include "core/rules/match.h"
#include "core/auth/sender.h"
#include "rt/disk/file.h"
#include "svc/master/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct findings {
    struct buf mistakes, warnings; // a line each
    struct site *site;             // NULL when there are mistakes
};

static void warn(struct findings *f, const struct config_table *t, const struct recipient_warnings *w) {
    for (size_t i = 0; i < w->n; i++) {
        char place[4200];
        struct slice path = t && t->path.n ? t->path : slice_str(f->site->path);
        snprintf(place, sizeof place, "%.*s", SLICE_ARG(path));
        buf_add_str(&f->warnings, place);
        if (t && t->path.n && w->list[i].line)
            buf_addf(&f->warnings, ":%u", w->list[i].line);
        buf_addf(&f->warnings, ": warning: %.*s\n", SLICE_ARG(w->list[i].text));
    }
}

// NULL for one that only rules of policy ask.
static struct recipient_table *parse_table(const struct findings *f, const struct config_table *t, struct slice text,
                                           struct recipient_warnings *w) {
    struct hash_key key = {{0}};
    bool for_rules = t->kind == CONFIG_TABLE_CIDR || t->kind == CONFIG_TABLE_REGEX;
    if (for_rules || t->matched)
        match_free(match_parse(t->kind, text, key, w));
    if (for_rules || (t->matched && !t->named))
        return NULL;
    return sender_is_table(f->site->config, t) ? recipient_table_parse_senders(t->kind, text, key, w)
                                               : recipient_table_parse(t->kind, text, key, w);
}

static struct recipient_table *load_table(struct findings *f, const struct config_table *t) {
    BUF_AUTO struct buf text = {.max = RECIPIENT_TABLE_MAX};
    ARENA_AUTO struct arena arena = {.max = 64 * 1024};
    struct recipient_warnings w = {0};
    struct err e;
    bool ok = t->path.n ? file_read(arena_dup(&arena, t->path).p, &text, &e) : buf_add(&text, t->text);
    struct recipient_table *table = ok ? parse_table(f, t, buf_slice(&text), &w) : NULL;
    warn(f, t, &w);
    recipient_warnings_done(&w);
    return table;
}

// What would refuse or delay mail though nothing is wrong with the configuration's own text.
static void check_tables(struct findings *f) {
    const struct config *c = f->site->config;
    struct recipient_table **tables = calloc(c->tables_n + 1, sizeof *tables);
    struct recipient_warnings w = {0};
    for (size_t i = 0; tables && i < c->tables_n; i++)
        tables[i] = load_table(f, &c->tables[i]);
    if (tables)
        recipient_check(c, tables, &w);
    warn(f, NULL, &w);
    recipient_warnings_done(&w);
    for (size_t i = 0; tables && i < c->tables_n; i++)
        recipient_table_free(tables[i]);
    free(tables);
}

static void check_policy(struct findings *f) {
    struct config_report report;
    config_report_start(&report);
    config_warn(f->site->config, &report);
    for (size_t i = 0; i < report.n; i++) {
        const struct config_mistake *m = &report.mistakes[i];
        buf_addf(&f->warnings, "%s:%u:%u: warning: %.*s\n", f->site->path, m->place.line, m->place.column,
                 SLICE_ARG(m->text));
    }
    config_report_done(&report);
}

static void put_lines(struct json *j, const char *name, struct slice lines) {
    struct slice line;
    json_key(j, name);
    json_open_array(j);
    while (lines.n) {
        slice_cut(lines, '\n', &line, &lines);
        json_slice(j, line);
    }
    json_end(j);
}

static void print_json(const struct findings *f) {
    BUF_AUTO struct buf b = {.max = 16 * (size_t)SITE_MISTAKES_MAX};
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_bool(&j, "ok", f->site != NULL);
    if (f->site)
        json_put_str(&j, "configuration", f->site->path);
    put_lines(&j, "mistakes", buf_slice(&f->mistakes));
    put_lines(&j, "warnings", buf_slice(&f->warnings));
    json_end(&j);
    printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
}

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

static void print_text(const struct findings *f) {
    fprintf(stderr, "%.*s%.*s", SLICE_ARG(buf_slice(&f->mistakes)), SLICE_ARG(buf_slice(&f->warnings)));
    if (!f->site)
        return;
    const struct config *c = f->site->config;
    printf("%s: ok: %zu listener%s, %zu domain%s, %zu table%s, %zu route%s\n", f->site->path, c->listens_n,
           plural(c->listens_n), c->domains_n, plural(c->domains_n), c->tables_n, plural(c->tables_n), c->routes_n,
           plural(c->routes_n));
}

int cmd_check(const struct args *a) {
    struct findings f = {.mistakes.max = SITE_MISTAKES_MAX, .warnings.max = SITE_MISTAKES_MAX};
    bool ok = site_load(a->config, &f.site, &f.mistakes);
    if (ok)
        site_warn(f.site, &f.warnings);
    if (ok)
        check_policy(&f);
    if (ok)
        check_tables(&f);
    if (ok)
        check_users(f.site->config, &f.warnings);
    (a->json ? print_json : print_text)(&f);
    site_free(f.site);
    buf_done(&f.mistakes);
    buf_done(&f.warnings);
    return ok ? EX_OK : EX_CONFIG;
}
