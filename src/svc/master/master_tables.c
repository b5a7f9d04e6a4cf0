// master_tables: a table that was replaced by rename, as editors and tools do, is a file that the confined lookup may
// not open: its jail names files, not directories that hold who knows what. So a new lookup takes the old one's place.
#include "svc/master/master_inside.h"

#include "rt/disk/file.h"

enum { WATCHED_MAX = 256 };

struct watched {
    struct file_identity files[WATCHED_MAX];
    uint64_t reloads; // of the configuration that they belong to
};

static bool identify(const struct config_table *t, struct file_identity *out) {
    ARENA_AUTO struct arena a = {.max = 8192};
    return t->path.n && file_identify(arena_dup(&a, t->path).p, out);
}

static bool same(const struct file_identity *a, const struct file_identity *b) {
    return a->device == b->device && a->number == b->number;
}

// Whether one is another file than before. One that is away for the moment is looked at again.
static bool look(const struct master *m, struct watched *w) {
    const struct config *c = m->site->config;
    bool changed = false, first = w->reloads != m->reloads;
    for (size_t i = 0; i < c->tables_n && i < WATCHED_MAX; i++) {
        struct file_identity now;
        if (!identify(&c->tables[i], &now))
            continue;
        changed |= !first && !same(&now, &w->files[i]);
        w->files[i] = now;
    }
    w->reloads = m->reloads;
    return changed;
}

static void replace_lookup(struct master *m) {
    for (size_t i = 0; i < m->slots.n; i++)
        if (m->slots.slots[i].role == ROLE_LOOKUP && m->slots.slots[i].child)
            master_replace(m, &m->slots.slots[i]);
    journal_mark(m->journal, JOURNAL_INFO, "tables-replaced");
}

void master_watch_tables(void *arg) {
    struct master *m = arg;
    struct watched w = {.reloads = UINT64_MAX};
    do {
        if (look(m, &w) && m->up && !m->stopping)
            replace_lookup(m);
    } while (fiber_sleep(MASTER_TABLES_MS));
}
