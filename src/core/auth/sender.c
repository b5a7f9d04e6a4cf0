// sender: an address held against what belongs to a user, what is cheap first.
#include "core/auth/sender.h"

#include "core/route/recipient_table.h"
#include "mail/address.h"

enum { NAME_MAX_BYTES = 512 }; // of a user's name as a key

// What is asked: by whom, and the address in its parts.
struct asked {
    const struct config *c;
    struct slice user;
    struct slice user_local, user_domain; // where the name is an address; else the domain is empty
    struct slice address;
    struct slice local, domain;        // of the address, unquoted
    const struct config_domain *where; // ours, or NULL
};

static bool names_user(const struct asked *a, struct slice local, struct slice domain, bool ours) {
    if (!slice_ieq(local, a->user_local))
        return false;
    return a->user_domain.n ? slice_ieq(domain, a->user_domain) : ours;
}

// We know no names of a domain that others serve, so its tag begins where `recipients any` has it begin.
static bool has_tag_of_user(const struct asked *a) {
    const struct config_domain *d = a->where;
    if (!d || !d->relayed || !d->any_recipient || !d->tag)
        return false;
    size_t at = slice_find(a->local, d->tag);
    return at > 0 && names_user(a, slice_upto(a->local, at), a->domain, true);
}

// Mail to the address comes to the user.
static bool leads_to_user(const struct asked *a, struct recipient_table *const *tables, struct arena *arena, bool *out,
                          struct err *e) {
    struct recipients found = {0};
    *out = false;
    if (!a->where)
        return true;
    if (!recipient_expand(a->c, tables, a->address, arena, &found, e))
        return false;
    for (size_t i = 0; i < found.n && !*out; i++) {
        struct slice final = found.list[i].address;
        size_t at = slice_rfind(final, '@');
        *out = names_user(a, slice_upto(final, at), slice_from(final, at + 1), found.list[i].domain != NULL);
    }
    return true;
}

// --- the table

static bool matches_pattern(struct slice pattern, struct slice text) {
    size_t p = 0, t = 0, star = pattern.n, from = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.n && ascii_lower(pattern.p[p]) == ascii_lower(text.p[t])) {
            p++;
            t++;
        } else if (star < pattern.n) { // the last * takes one more
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool is_below(struct slice domain, struct slice suffix) {
    return domain.n > suffix.n && slice_ieq(slice_from(domain, domain.n - suffix.n), suffix);
}

static bool matches_target(const struct asked *a, const struct recipient_target *target) {
    struct slice text = target->text;
    if (slice_starts(text, SLICE("@.")))
        return is_below(a->domain, slice_from(text, 1));
    if (slice_starts(text, SLICE("@")))
        return slice_ieq(a->domain, slice_from(text, 1));
    if (target->kind != RECIPIENT_TARGET_REFUSED && slice_find(text, '*') < text.n)
        return matches_pattern(text, a->address);
    if (target->kind == RECIPIENT_TARGET_NAME || target->kind == RECIPIENT_TARGET_USER)
        return a->where && slice_ieq(a->local, text);
    return target->kind == RECIPIENT_TARGET_ADDRESS && slice_ieq(a->address, text);
}

// The name counts as a whole: alice of one domain is not alice of another.
static bool entry_allows(const struct asked *a, const struct recipient_table *t, struct slice name) {
    char key[NAME_MAX_BYTES];
    if (name.n > sizeof key)
        return false;
    for (size_t i = 0; i < name.n; i++)
        key[i] = ascii_lower(name.p[i]);
    const struct recipient_entry *entry = map_get(&t->map, slice_of(key, name.n));
    for (size_t i = 0; entry && i < entry->targets_n; i++)
        if (matches_target(a, &entry->targets[i]))
            return true;
    return false;
}

bool sender_is_table(const struct config *c, const struct config_table *table) {
    return c->senders.n && slice_eq(c->senders, table->name);
}

static bool table_allows(const struct asked *a, struct recipient_table *const *tables, bool *out, struct err *e) {
    *out = false;
    for (size_t i = 0; i < a->c->tables_n; i++) {
        if (!sender_is_table(a->c, &a->c->tables[i]))
            continue;
        if (!tables[i])
            return err_smtp(e, 451, "4.3.0", "the table %.*s can't be read", SLICE_ARG(a->c->senders));
        *out = entry_allows(a, tables[i], a->user) || entry_allows(a, tables[i], SLICE("*"));
        return true;
    }
    return true;
}

// --- all of it

static bool begin(const struct config *c, struct slice user, struct slice address, struct arena *arena,
                  struct asked *a) {
    struct address parts;
    struct err ignored;
    size_t at = slice_rfind(user, '@');
    *a = (struct asked){.c = c, .user = user, .address = address, .user_local = slice_upto(user, at)};
    a->user_domain = slice_from(user, at + 1);
    if (a->user_domain.n)
        (void)!address_normalize_domain(a->user_domain, arena, &a->user_domain, &ignored);
    if (user.n == 0 || !address_parse(address, ADDRESS_SENDER, arena, &parts, &ignored))
        return false;
    a->local = parts.local;
    a->domain = parts.domain;
    a->where = route_is_local(c, parts.domain);
    return true;
}

bool sender_may(const struct config *c, struct recipient_table *const *tables, struct slice user, struct slice address,
                struct arena *arena, bool *out, struct err *e) {
    struct asked a;
    bool listed = false, reached = false;
    bool sane = begin(c, user, address, arena, &a);
    if (!sane || config_any_sender(c, user) || names_user(&a, a.local, a.domain, a.where != NULL) ||
        has_tag_of_user(&a)) {
        *out = sane;
        return true;
    }
    bool ok = table_allows(&a, tables, &listed, e);
    if (ok && !listed)
        ok = leads_to_user(&a, tables, arena, &reached, e);
    if (ok)
        *out = listed || reached;
    return ok;
}
