// recipient: expanding an address through a domain's tables.
#include "core/route/recipient.h"

#include "core/route/recipient_table.h"

enum { ADDRESS_BYTES_MAX = 1024 };

// An alias in the domain that it was asked in: tables are shared among domains.
struct step {
    const struct recipient_entry *alias;
    const struct config_domain *domain;
};

struct expansion {
    const struct config *c;
    struct recipient_table *const *tables;
    struct arena *arena;
    struct recipient_final *list;
    size_t n, cap;
    struct map seen;                       // final addresses, so that each comes once
    struct map done;                       // aliases that were expanded whole: a second time would add nothing
    struct step path[RECIPIENT_DEPTH_MAX]; // being expanded
    size_t depth;
    struct err *e;
};

static bool expand(struct expansion *x, struct slice local, struct slice domain, bool user_only, bool *known);

static bool fail_full(struct expansion *x) {
    return err_smtp(x->e, 451, "4.3.5", "an alias leads to more than %d addresses", RECIPIENT_TOTAL_MAX);
}

static bool is_dot_atom(struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool dot = c == '.' && i > 0 && i + 1 < s.n && s.p[i - 1] != '.';
        if (!dot && c < 0x80 && !ascii_alnum((char)c) && (c == 0 || !strchr("!#$%&'*+-/=?^_`{|}~", (char)c)))
            return false;
    }
    return s.n > 0;
}

// local@domain, the local-part in quotes where it needs them (RFC 5321 4.1.2).
static struct slice join(struct expansion *x, struct slice local, struct slice tag, struct slice domain) {
    BUF_AUTO struct buf whole = {.max = ADDRESS_BYTES_MAX}, b = {.max = 3 * ADDRESS_BYTES_MAX};
    buf_add(&whole, local);
    buf_add(&whole, tag);
    bool plain = is_dot_atom(buf_slice(&whole));
    buf_add_str(&b, plain ? "" : "\"");
    for (size_t i = 0; i < whole.n; i++) {
        if (whole.p[i] == '"' || whole.p[i] == '\\')
            buf_add_char(&b, '\\');
        buf_add_char(&b, whole.p[i]);
    }
    buf_add_str(&b, plain ? "@" : "\"@");
    for (size_t i = 0; i < domain.n; i++)
        buf_add_char(&b, ascii_lower(domain.p[i]));
    return whole.failed || b.failed ? SLICE_EMPTY : arena_dup(x->arena, buf_slice(&b));
}

static bool add_final(struct expansion *x, struct recipient_final final) {
    if (!final.address.p || !final.tagged.p)
        return err_smtp(x->e, 451, "4.3.0", "no memory left for the recipients of one address");
    if (map_get(&x->seen, final.address))
        return true;
    if (x->n == RECIPIENT_TOTAL_MAX)
        return fail_full(x);
    if (x->n == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 1;
        struct recipient_final *grown = arena_alloc(x->arena, cap * sizeof *grown);
        if (!grown)
            return err_smtp(x->e, 451, "4.3.0", "no memory left for the recipients of one address");
        if (x->n)
            memcpy(grown, x->list, x->n * sizeof *grown);
        x->list = grown;
        x->cap = cap;
    }
    x->list[x->n++] = final;
    map_set(&x->seen, final.address, x->arena); // only the key matters
    return true;
}

static bool add_mailbox(struct expansion *x, const struct config_domain *d, struct slice name, struct slice tag) {
    struct recipient_final final = {.address = join(x, name, d->relayed ? tag : SLICE_EMPTY, d->name),
                                    .tagged = join(x, name, tag, d->name),
                                    .domain = d};
    if (!d->relayed)
        final.mailbox = arena_dup(x->arena, name);
    return add_final(x, final);
}

static bool add_elsewhere(struct expansion *x, struct slice local, struct slice domain) {
    struct slice address = join(x, local, SLICE_EMPTY, domain);
    return add_final(x, (struct recipient_final){.address = address, .tagged = address});
}

static bool on_path(const struct expansion *x, struct step step) {
    for (size_t i = 0; i < x->depth; i++)
        if (x->path[i].alias == step.alias && x->path[i].domain == step.domain)
            return true;
    return false;
}

// The first table's entry that may be used now; `*looped` when one was passed over because it is being expanded.
static bool find(struct expansion *x, const struct config_domain *d, struct slice local, bool user_only,
                 const struct recipient_entry **out, bool *looped) {
    *out = NULL;
    for (size_t i = 0; i < d->tables_n && !*out; i++) {
        const struct recipient_table *table = x->tables[d->tables[i]];
        const struct config_table *named = &x->c->tables[d->tables[i]];
        if (!table)
            return err_smtp(x->e, 451, "4.3.0", "the table %.*s can't be read", SLICE_ARG(named->name));
        const struct recipient_entry *entry = recipient_table_find(table, local, d->name);
        if (entry && entry->targets_n && (user_only || on_path(x, (struct step){entry, d})))
            *looped |= !user_only;
        else
            *out = entry;
    }
    return true;
}

static bool fail_alias(struct expansion *x, const struct recipient_entry *alias, const char *what,
                       struct slice target) {
    return err_smtp(x->e, 451, "4.3.5", "alias %.*s (line %u) %s %.*s", SLICE_ARG(slice_upto(alias->name, 64)),
                    alias->line, what, SLICE_ARG(slice_upto(target, 64)));
}

// Unquoted, as names are kept in tables.
static struct slice unquote(struct expansion *x, struct slice local) {
    if (local.n < 2 || local.p[0] != '"' || local.p[local.n - 1] != '"')
        return local;
    char *p = arena_alloc(x->arena, local.n);
    size_t n = 0;
    for (size_t i = 1; p && i + 1 < local.n; i++) {
        if (local.p[i] == '\\' && i + 2 < local.n)
            i++;
        p[n++] = local.p[i];
    }
    return slice_of(p, p ? n : 0);
}

static bool expand_target(struct expansion *x, const struct config_domain *d, const struct recipient_entry *alias,
                          const struct recipient_target *target) {
    bool known = false, user = target->kind == RECIPIENT_TARGET_USER;
    if (target->kind == RECIPIENT_TARGET_REFUSED)
        return fail_alias(x, alias, "asks for what is not supported:", target->text);
    struct slice local = target->text, domain = d->name;
    if (target->kind == RECIPIENT_TARGET_ADDRESS) {
        size_t at = slice_rfind(target->text, '@');
        local = unquote(x, slice_upto(target->text, at));
        domain = slice_from(target->text, at + 1);
    }
    if (!expand(x, local, domain, user, &known))
        return false;
    return known || fail_alias(x, alias, "leads to nobody:", target->text);
}

static bool expand_alias(struct expansion *x, const struct config_domain *d, const struct recipient_entry *alias) {
    struct step *key = ARENA_NEW(x->arena, struct step);
    if (x->depth == RECIPIENT_DEPTH_MAX)
        return fail_alias(x, alias, "is reached by too long a way", SLICE_EMPTY);
    if (!key)
        return err_smtp(x->e, 451, "4.3.0", "no memory left for the recipients of one address");
    *key = (struct step){alias, d};
    if (map_get(&x->done, slice_of(key, sizeof *key)))
        return true;
    map_set(&x->done, slice_of(key, sizeof *key), key);
    x->path[x->depth++] = *key;
    for (size_t i = 0; i < alias->targets_n; i++)
        if (!expand_target(x, d, alias, &alias->targets[i]))
            return false;
    x->depth--;
    return true;
}

static bool use(struct expansion *x, const struct config_domain *d, const struct recipient_entry *entry,
                struct slice tag) {
    if (entry->targets_n)
        return expand_alias(x, d, entry);
    return add_mailbox(x, d, slice_upto(entry->name, slice_rfind(entry->name, '@')), tag);
}

// Where the tag begins for the n-th try: the longest name first, so that a-b-tag is a-b before it is a.
static size_t tag_before(const struct config_domain *d, struct slice local, size_t end) {
    size_t at = d->tag ? slice_rfind(slice_upto(local, end), d->tag) : end;
    return at < end && at > 0 ? at : 0;
}

// `recipients any`: the name becomes part of a path, so nothing that could lead out of the pattern's place passes.
static bool is_safe(struct slice name) {
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == '/' || name.p[i] == 0x7f)
            return false;
    return name.n > 0 && name.p[0] != '.';
}

static bool expand_any(struct expansion *x, const struct config_domain *d, struct slice local, bool *known) {
    size_t at = d->tag && !d->relayed ? slice_find(local, d->tag) : local.n;
    if (at == 0)
        at = local.n;
    struct slice name = slice_upto(local, at), tag = slice_from(local, at);
    *known = d->relayed || is_safe(name);
    if (!*known)
        return true;
    struct slice copy = arena_dup(x->arena, name);
    for (size_t i = 0; i < copy.n && !d->relayed; i++)
        ((char *)copy.p)[i] = ascii_lower(copy.p[i]); // Alice and alice are one mailbox
    return add_mailbox(x, d, copy, tag);
}

// RFC 5321 4.5.1: postmaster exists in every domain.
static bool expand_postmaster(struct expansion *x, const struct config_domain *d, bool *known) {
    *known = d->relayed;
    if (d->relayed)
        return add_mailbox(x, d, SLICE("postmaster"), SLICE_EMPTY); // whoever keeps the mailboxes has one
    for (size_t i = 0; i < d->tables_n; i++) {
        const struct recipient_entry *first = x->tables[d->tables[i]]->first;
        if (first && !on_path(x, (struct step){first, d})) {
            *known = true;
            return use(x, d, first, SLICE_EMPTY);
        }
    }
    return true;
}

static bool expand_ours(struct expansion *x, const struct config_domain *d, struct slice local, bool user_only,
                        bool *known) {
    const struct recipient_entry *entry = NULL;
    bool looped = false;
    size_t end = local.n;
    if (d->any_recipient)
        return expand_any(x, d, local, known);
    do {
        if (!find(x, d, slice_upto(local, end), user_only, &entry, &looped))
            return false;
    } while (!entry && !looped && (end = tag_before(d, local, end)) > 0);
    if (entry) {
        *known = true;
        return use(x, d, entry, slice_from(local, end));
    }
    if (looped)
        return fail_alias(x, x->path[x->depth - 1].alias, "leads back to", local);
    if (slice_ieq(local, SLICE("postmaster")))
        return expand_postmaster(x, d, known);
    return true;
}

static bool expand(struct expansion *x, struct slice local, struct slice domain, bool user_only, bool *known) {
    const struct config_domain *d = route_is_local(x->c, domain);
    if (d)
        return expand_ours(x, d, local, user_only, known);
    *known = true;
    return add_elsewhere(x, local, domain);
}

// "postmaster" alone, and at our own name, is the first domain's (RFC 5321 4.5.1).
static struct slice postmaster_domain(const struct config *c, struct slice local, struct slice domain) {
    if (c->domains_n == 0 || !slice_ieq(local, SLICE("postmaster")) || route_is_local(c, domain))
        return domain;
    return domain.n == 0 || slice_ieq(domain, c->hostname) ? c->domains[0].name : domain;
}

bool recipient_expand(const struct config *c, struct recipient_table *const *tables, struct slice address,
                      struct arena *arena, struct recipients *out, struct err *e) {
    struct expansion x = {.c = c, .tables = tables, .arena = arena, .e = e};
    size_t at = slice_rfind(address, '@');
    struct slice local = unquote(&x, slice_upto(address, at));
    struct slice domain = postmaster_domain(c, local, slice_from(address, at + 1));
    bool known = false, ok = true;
    if (local.n > 0 && domain.n > 0 && address.n < ADDRESS_BYTES_MAX)
        ok = expand(&x, local, domain, false, &known);
    map_done(&x.seen);
    map_done(&x.done);
    if (ok)
        *out = (struct recipients){known ? RECIPIENT_KNOWN : RECIPIENT_UNKNOWN, x.list, x.n};
    return ok;
}
