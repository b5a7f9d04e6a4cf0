// recipient_check: what check can say about tables before mail meets it.
#include "core/route/recipient_table.h"

enum { CHECK_ARENA = 16 << 20 };

static void check_alias(const struct config *c, struct recipient_table *const *tables, const struct config_domain *d,
                        const struct recipient_entry *alias, struct recipient_warnings *w) {
    ARENA_AUTO struct arena arena = {.max = CHECK_ARENA};
    bool qualified = slice_find(alias->key, '@') < alias->key.n;
    struct slice address = alias->key;
    if (!qualified)
        address = arena_printf(&arena, "%.*s@%.*s", SLICE_ARG(alias->key), SLICE_ARG(d->name));
    struct recipients ignored;
    struct err e;
    if (!recipient_expand(c, tables, address, &arena, &ignored, &e))
        recipient_warn(w, alias->line, "in domain %.*s: %s", SLICE_ARG(d->name), e.text);
}

static void check_table(const struct config *c, struct recipient_table *const *tables, const struct config_domain *d,
                        const struct recipient_table *table, struct recipient_warnings *w) {
    for (const struct recipient_entry *at = table->first; at && w->n < RECIPIENT_WARNINGS_MAX; at = at->next) {
        size_t sign = slice_rfind(at->key, '@');
        bool other = sign < at->key.n && !slice_eq(slice_from(at->key, sign + 1), d->name);
        if (at->targets_n && !other)
            check_alias(c, tables, d, at, w);
    }
}

static void check_postmaster(struct recipient_table *const *tables, const struct config_domain *d,
                             struct recipient_warnings *w) {
    const struct recipient_entry *first = NULL;
    for (size_t i = 0; i < d->tables_n; i++) {
        const struct recipient_table *table = tables[d->tables[i]];
        if (!table || recipient_table_find(table, SLICE("postmaster"), d->name))
            return;
        if (!first)
            first = table->first;
    }
    if (first)
        recipient_warn(w, 0, "domain %.*s has no postmaster in its tables (RFC 5321 4.5.1); such mail goes to %.*s",
                       SLICE_ARG(d->name), SLICE_ARG(slice_upto(first->name, 64)));
    else
        recipient_warn(w, 0, "domain %.*s has nobody in its tables", SLICE_ARG(d->name));
}

void recipient_check(const struct config *c, struct recipient_table *const *tables, struct recipient_warnings *w) {
    for (size_t i = 0; i < c->domains_n; i++) {
        const struct config_domain *d = &c->domains[i];
        if (d->any_recipient)
            continue;
        check_postmaster(tables, d, w);
        for (size_t t = 0; t < d->tables_n; t++)
            if (tables[d->tables[t]])
                check_table(c, tables, d, tables[d->tables[t]], w);
    }
}
