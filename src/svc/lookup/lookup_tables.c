// lookup_tables: reading files, and noticing that they changed.
#include "svc/lookup/lookup_tables.h"

#include "base/mem.h"
#include "core/rules/match.h"
#include "core/auth/sender.h"
#include "rt/disk/file.h"
#include "rt/journal.h"

#include <stdlib.h>

enum { CHECK_EVERY_MS = 1 * MS_SECOND, CHECK_BYTES = 1024 * 1024 }; // and a second more for each of these

struct source {
    const struct config_table *config;
    struct mono check_at;
    uint64_t size;
    uint32_t crc;
    bool loaded;  // size and crc are of what is in memory
    bool failing; // and the journal knows
};

struct lookup_tables {
    struct world *world;
    const struct config *config;
    struct hash_key key;
    size_t n;
    struct source *sources;
    struct recipient_table **tables; // those that domains or `senders` name
    struct match **matches;          // those that rules of policy name
};

static void tell_warnings(struct lookup_tables *t, const struct source *s, const struct recipient_warnings *warnings) {
    for (size_t i = 0; i < warnings->n; i++)
        journal_event(t->world->journal, JOURNAL_WARNING, "table-warning", JOURNAL_STR("table", s->config->name),
                      JOURNAL_STR("file", s->config->path), JOURNAL_UINT("line", warnings->list[i].line),
                      JOURNAL_STR("text", warnings->list[i].text));
}

static void tell_failure(struct lookup_tables *t, struct source *s, const struct err *e) {
    if (!s->failing && e->kind != ERR_CANCELLED)
        journal_event(t->world->journal, JOURNAL_ERROR, "table-unreadable", JOURNAL_STR("table", s->config->name),
                      JOURNAL_STR("file", s->config->path), JOURNAL_BOOL("last-good", s->loaded), JOURNAL_ERR(e));
    s->failing = true;
}

// For recipients unless only rules ask it; a table that nobody asks is read all the same, so that `check` isn't the
// only one to tell what is wrong with it.
static bool is_for_recipients(const struct config_table *c) {
    return c->kind != CONFIG_TABLE_CIDR && c->kind != CONFIG_TABLE_REGEX && (c->named || !c->matched);
}

static bool take_recipients(struct lookup_tables *t, size_t i, struct slice text, struct recipient_warnings *warnings) {
    const struct config_table *c = t->sources[i].config;
    struct recipient_table *table = sender_is_table(t->config, c)
                                        ? recipient_table_parse_senders(c->kind, text, t->key, warnings)
                                        : recipient_table_parse(c->kind, text, t->key, warnings);
    if (!table)
        return false;
    recipient_table_free(t->tables[i]);
    t->tables[i] = table;
    return true;
}

static bool take_match(struct lookup_tables *t, size_t i, struct slice text, struct recipient_warnings *warnings) {
    struct match *m = match_parse(t->sources[i].config->kind, text, t->key, warnings);
    if (!m)
        return false;
    match_free(t->matches[i]);
    t->matches[i] = m;
    return true;
}

static void take_text(struct lookup_tables *t, size_t i, struct slice text) {
    struct source *s = &t->sources[i];
    struct recipient_warnings warnings = {0};
    bool recipients = is_for_recipients(s->config);
    bool ok = !recipients || take_recipients(t, i, text, &warnings);
    if (s->config->matched || !recipients)
        ok = take_match(t, i, text, &warnings) && ok;
    tell_warnings(t, s, &warnings);
    recipient_warnings_done(&warnings);
    if (ok)
        journal_event(
            t->world->journal, JOURNAL_INFO, "table-loaded", JOURNAL_STR("table", s->config->name),
            JOURNAL_UINT("names", recipients ? recipient_table_count(t->tables[i]) : match_count(t->matches[i])));
}

static bool read_from_disk(struct disk *disk, const char *path, struct buf *out, struct err *e) {
    struct disk_file *f;
    uint64_t size;
    size_t got;
    while (*path == '/')
        path++;
    if (!disk_open(disk, path, DISK_READ, &f, e))
        return false;
    bool ok = disk_file_size(f, &size, e);
    char *to = ok && size < out->max ? buf_reserve(out, (size_t)size + 1) : NULL;
    if (ok && !to)
        ok = err_set(e, ERR_TEMPORARY, "the file is too large");
    ok = ok && disk_file_read(f, to, (size_t)size, 0, &got, e);
    if (ok)
        buf_commit(out, got);
    disk_file_close(f);
    return ok;
}

// The simulator has disks. A process has paths: a disk refuses links that lead out of it, which are no reason not to
// read what the administrator named, and the jail of those who only read refuses its way of opening.
static bool read_file(struct lookup_tables *t, const struct source *s, struct buf *out, struct err *e) {
    BUF_AUTO struct buf path = {.max = 4096};
    if (!buf_add(&path, s->config->path) || !buf_add_char(&path, '\0'))
        return err_set(e, ERR_PERMANENT, "the path is too long");
    return t->world->disk ? read_from_disk(t->world->disk, path.p, out, e) : file_read(path.p, out, e);
}

static void check(struct lookup_tables *t, size_t i) {
    struct source *s = &t->sources[i];
    BUF_AUTO struct buf text = {.max = (size_t)RECIPIENT_TABLE_MAX + 1};
    struct err e = {0};
    s->check_at = loop_in_ms(t->world->loop, CHECK_EVERY_MS + (int64_t)(s->size / CHECK_BYTES) * MS_SECOND);
    if (!read_file(t, s, &text, &e)) {
        tell_failure(t, s, &e);
        return;
    }
    uint32_t crc = hash_crc32c(0, buf_slice(&text));
    s->failing = false;
    if (s->loaded && s->size == text.n && s->crc == crc)
        return;
    take_text(t, i, buf_slice(&text));
    s->size = text.n;
    s->crc = crc;
    s->loaded = true;
}

struct lookup_tables *lookup_tables_new(struct world *w, const struct config *c) {
    struct lookup_tables *t = MEM_NEW(struct lookup_tables);
    *t = (struct lookup_tables){
        .world = w, .config = c, .key = {{world_random_u64(w), world_random_u64(w)}}, .n = c->tables_n};
    t->sources = mem_new(t->n + 1, sizeof *t->sources);
    t->tables = mem_new(t->n + 1, sizeof(struct recipient_table *));
    t->matches = mem_new(t->n + 1, sizeof(struct match *));
    for (size_t i = 0; i < t->n; i++) {
        t->sources[i].config = &c->tables[i];
        if (c->tables[i].kind == CONFIG_TABLE_INLINE)
            take_text(t, i, c->tables[i].text);
        else
            check(t, i);
    }
    return t;
}

void lookup_tables_free(struct lookup_tables *t) {
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        recipient_table_free(t->tables[i]);
        match_free(t->matches[i]);
    }
    free(t->tables);
    free(t->matches);
    free(t->sources);
    free(t);
}

struct recipient_table *const *lookup_tables_now(struct lookup_tables *t) {
    struct mono now = loop_now(t->world->loop);
    for (size_t i = 0; i < t->n; i++)
        if (t->sources[i].config->kind != CONFIG_TABLE_INLINE && !mono_before(now, t->sources[i].check_at))
            check(t, i);
    return t->tables;
}

enum message_match_result lookup_tables_match(struct lookup_tables *t, struct slice table, struct slice value) {
    lookup_tables_now(t);
    for (size_t i = 0; i < t->n; i++) {
        if (!slice_eq(t->sources[i].config->name, table))
            continue;
        if (!t->matches[i])
            return MESSAGE_MATCH_FAILED;
        return match_has(t->matches[i], value) ? MESSAGE_MATCH_YES : MESSAGE_MATCH_NO;
    }
    return MESSAGE_MATCH_FAILED; // of a configuration that isn't ours any more
}
