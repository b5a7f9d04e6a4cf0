// recipient_table: the text of a table to names in memory (aliases(5)).
#include "core/route/recipient_table.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NAME_BYTES_MAX = 256, // a local-part has 64 at most (RFC 5321 4.5.3.1.1)
    TARGET_BYTES_MAX = 1024,
    TARGETS_MAX = RECIPIENT_TOTAL_MAX, // of one alias
    WARNING_MAX = 320,
    SHOWN_MAX = 64,
};

void recipient_warnings_done(struct recipient_warnings *w) {
    arena_done(&w->arena);
    free(w->list);
    *w = (struct recipient_warnings){0};
}

void recipient_warn(struct recipient_warnings *w, uint32_t line, const char *format, ...) {
    if (w->n == RECIPIENT_WARNINGS_MAX)
        return;
    char text[WARNING_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    w->arena.max = (size_t)RECIPIENT_WARNINGS_MAX * 1024;
    w->list = mem_grow(w->list, w->n + 1, sizeof *w->list);
    w->list[w->n++] = (struct recipient_warning){line, arena_dup(&w->arena, slice_str(text))};
}

struct slice recipient_show(struct recipient_warnings *w, struct slice s) {
    char text[SHOWN_MAX];
    if (w->n == RECIPIENT_WARNINGS_MAX)
        return SLICE_EMPTY;
    s = slice_upto(s, sizeof text);
    for (size_t i = 0; i < s.n; i++)
        text[i] = (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? '?' : s.p[i];
    w->arena.max = (size_t)RECIPIENT_WARNINGS_MAX * 1024;
    return arena_dup(&w->arena, slice_of(text, s.n));
}

static struct slice lower(struct arena *arena, struct slice s) {
    struct slice copy = arena_dup(arena, s);
    for (size_t i = 0; i < copy.n; i++)
        ((char *)copy.p)[i] = ascii_lower(copy.p[i]); // ours since the line above
    return copy;
}

struct recipient_entry *recipient_table_find(const struct recipient_table *t, struct slice local, struct slice domain) {
    char key[NAME_BYTES_MAX * 2];
    if (local.n > NAME_BYTES_MAX || local.n + 1 + domain.n > sizeof key)
        return NULL;
    for (size_t i = 0; i < local.n; i++)
        key[i] = ascii_lower(local.p[i]);
    key[local.n] = '@';
    for (size_t i = 0; i < domain.n; i++)
        key[local.n + 1 + i] = ascii_lower(domain.p[i]);
    struct recipient_entry *entry = map_get(&t->map, slice_of(key, local.n + 1 + domain.n));
    return entry ? entry : map_get(&t->map, slice_of(key, local.n));
}

// What a table is read with.
struct reader {
    struct recipient_table *t;
    struct recipient_warnings *warnings;
    enum config_table_kind kind;
    bool senders;  // @domain is a target
    uint32_t line; // where the entry began
};

static void warn(struct reader *r, const char *what, struct slice text) {
    struct slice shown = recipient_show(r->warnings, text);
    recipient_warn(r->warnings, r->line, "%s: \"%.*s\"", what, SLICE_ARG(shown));
}

static bool has_control(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
            return true;
    return false;
}

// Index of the first of `c` outside quotes, or s.n; where quotes stay open, `*open`.
static size_t find_unquoted(struct slice s, char c, bool *open) {
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && quoted)
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == c && !quoted)
            return i;
    }
    *open = quoted;
    return s.n;
}

// The inside of text that is quoted as a whole, without its backslashes; other text as it is.
static struct slice unquote(struct arena *arena, struct slice s) {
    bool open = false;
    if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"' || find_unquoted(s, '@', &open) < s.n)
        return s;
    struct slice copy = arena_dup(arena, slice_of(s.p + 1, s.n - 2));
    size_t n = 0;
    for (size_t i = 0; i < copy.n; i++) {
        if (copy.p[i] == '\\' && i + 1 < copy.n)
            i++;
        ((char *)copy.p)[n++] = copy.p[i];
    }
    return slice_of(copy.p, n);
}

static bool is_name(struct slice s) { return s.n > 0 && s.n <= NAME_BYTES_MAX && !has_control(s); }

static bool is_domain(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_' && (unsigned char)s.p[i] < 0x80)
            return false;
    return s.n > 0 && s.n <= 253;
}

static bool is_atom(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || strchr("\"(),:;<>@[\\]", s.p[i]))
            return false;
    return s.n > 0;
}

static bool is_address(struct slice s) {
    size_t at = slice_rfind(s, '@');
    struct slice local = slice_upto(s, at), domain = slice_from(s, at + 1);
    bool quoted = local.n > 2 && local.p[0] == '"' && local.p[local.n - 1] == '"';
    if (domain.n > 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']')
        return false; // a literal in an alias is more likely a mistake than a wish
    return is_name(local) && is_domain(domain) && (quoted || is_atom(local));
}

static struct recipient_target read_target(struct reader *r, struct slice written) {
    struct arena *arena = &r->t->arena;
    struct slice text = unquote(arena, written);
    struct recipient_target target = {RECIPIENT_TARGET_NAME, SLICE_EMPTY};
    const char *refused = NULL;
    if (r->senders && slice_starts(text, SLICE("@")) && is_domain(slice_from(text, 1)))
        target.kind = RECIPIENT_TARGET_REFUSED; // for mail; sender.c looks at the text
    else if (slice_starts(text, SLICE("|")))
        refused = "commands are not supported; mail to this alias is deferred";
    else if (slice_starts(text, SLICE("/")))
        refused = "files are not supported; mail to this alias is deferred";
    else if (slice_istarts(text, SLICE(":include:")))
        refused = "lists in files are not supported; mail to this alias is deferred";
    else if (text.n > 0 && text.p[0] == '\\' && is_atom(slice_from(text, 1)))
        return (struct recipient_target){RECIPIENT_TARGET_USER, arena_dup(arena, slice_from(text, 1))};
    else if (slice_find(text, '@') < text.n && is_address(text))
        target.kind = RECIPIENT_TARGET_ADDRESS;
    else if (slice_find(text, '@') < text.n || !is_name(text) || (text.p == written.p && !is_atom(text)))
        refused = "expected a name or an address; mail to this alias is deferred";
    if (refused) {
        warn(r, refused, written);
        target.kind = RECIPIENT_TARGET_REFUSED;
    }
    target.text = arena_dup(arena, text);
    return target;
}

// Cuts the next target off `*rest`; false at the end.
static bool next_target(struct slice *rest, struct slice *target) {
    bool open = false;
    while (rest->n) {
        size_t comma = find_unquoted(*rest, ',', &open);
        *target = slice_trim(slice_upto(*rest, comma));
        *rest = slice_from(*rest, comma + 1);
        if (target->n)
            return true;
    }
    return false;
}

static size_t count_targets(struct slice rest) {
    struct slice target;
    size_t n = 0;
    while (next_target(&rest, &target))
        n++;
    return n;
}

static struct recipient_entry *add_entry(struct reader *r, struct slice name) {
    struct recipient_table *t = r->t;
    struct slice key = lower(&t->arena, name);
    struct recipient_entry *twin = map_get(&t->map, key), *entry;
    if (twin) {
        struct slice shown = recipient_show(r->warnings, name);
        recipient_warn(r->warnings, r->line, "\"%.*s\" is there twice; line %u counts", SLICE_ARG(shown), twin->line);
        return NULL;
    }
    entry = ARENA_NEW(&t->arena, struct recipient_entry);
    if (!entry || !key.p)
        return NULL;
    *entry = (struct recipient_entry){.key = key, .name = arena_dup(&t->arena, name), .line = r->line};
    *(t->last ? &t->last->next : &t->first) = entry;
    t->last = entry;
    map_set(&t->map, key, entry);
    return entry;
}

static void read_alias(struct reader *r, struct slice name, struct slice rest) {
    size_t n = count_targets(rest);
    if (n == 0 || n > TARGETS_MAX) {
        warn(r, n ? "an alias with too many targets is passed over" : "an alias without targets is passed over", name);
        return;
    }
    struct recipient_entry *entry = add_entry(r, name);
    struct recipient_target *targets = entry ? arena_alloc(&r->t->arena, n * sizeof *targets) : NULL;
    if (!targets)
        return;
    struct slice target;
    for (size_t i = 0; next_target(&rest, &target); i++) {
        if (target.n <= TARGET_BYTES_MAX) {
            targets[i] = read_target(r, target);
            continue;
        }
        warn(r, "a target is too long; mail to this alias is deferred", target);
        targets[i].kind = RECIPIENT_TARGET_REFUSED;
    }
    entry->targets = targets;
    entry->targets_n = n;
}

static bool is_entry_name(struct slice name, bool quoted) {
    if (slice_find(name, '@') < name.n)
        return !quoted && is_address(name);
    return is_name(name) && (quoted || is_atom(name));
}

static void read_user(struct reader *r, struct slice written) {
    struct slice name = unquote(&r->t->arena, written);
    if (!is_entry_name(name, name.p != written.p))
        warn(r, "expected one name a line; passed over", written);
    else if (name.p[0] == '.' || slice_find(name, '/') < name.n) // a Maildir's path is made from it
        warn(r, "expected a name without a slash or a first dot; passed over", written);
    else
        add_entry(r, name);
}

// A logical line: "name: target, target", or a name alone where the table may hold users.
static void read_line(struct reader *r, struct slice line) {
    bool open = false, open_name = false;
    find_unquoted(line, '\n', &open); // there is none: looks at the whole line
    size_t colon = find_unquoted(line, ':', &open_name);
    if (has_control(line) || open) {
        warn(r, open ? "expected a closing quote; passed over" : "expected printable text; passed over", line);
        return;
    }
    if (r->kind == CONFIG_TABLE_FILE || (r->kind == CONFIG_TABLE_INLINE && colon == line.n)) {
        read_user(r, line);
        return;
    }
    struct slice written = slice_trim(slice_upto(line, colon)), name = unquote(&r->t->arena, written);
    bool valid = is_entry_name(name, name.p != written.p);
    if (colon == line.n || !valid)
        warn(r, "expected \"name: target, target\"; passed over", line);
    else
        read_alias(r, name, slice_from(line, colon + 1));
}

// A line that begins with a space goes on with the one before; empty lines and comments in between don't matter.
static void read_text(struct reader *r, struct slice text) {
    BUF_AUTO struct buf logical = {.max = text.n + 1};
    uint32_t number = 0;
    while (text.n) {
        struct slice line;
        slice_cut(text, '\n', &line, &text);
        number++;
        struct slice trimmed = slice_trim(line);
        if (trimmed.n == 0 || trimmed.p[0] == '#')
            continue;
        bool more = r->kind != CONFIG_TABLE_FILE && (line.p[0] == ' ' || line.p[0] == '\t') && logical.n > 0;
        if (!more && logical.n > 0)
            read_line(r, buf_slice(&logical));
        if (!more) {
            buf_reset(&logical);
            r->line = number;
        } else {
            buf_add_char(&logical, ' ');
        }
        buf_add(&logical, trimmed);
    }
    if (logical.n > 0)
        read_line(r, buf_slice(&logical));
}

static struct recipient_table *parse(enum config_table_kind kind, struct slice text, struct hash_key key, bool senders,
                                     struct recipient_warnings *warnings) {
    if (text.n > RECIPIENT_TABLE_MAX) {
        recipient_warn(warnings, 0, "the table has more than %d bytes", RECIPIENT_TABLE_MAX);
        return NULL;
    }
    struct recipient_table *t = MEM_NEW(struct recipient_table);
    t->arena.max = (size_t)RECIPIENT_TABLE_MAX * 64; // a name of one byte takes about a hundred
    t->map.key = key;
    struct reader r = {.t = t, .warnings = warnings, .kind = kind, .senders = senders};
    read_text(&r, text);
    return t;
}

struct recipient_table *recipient_table_parse(enum config_table_kind kind, struct slice text, struct hash_key key,
                                              struct recipient_warnings *warnings) {
    return parse(kind, text, key, false, warnings);
}

struct recipient_table *recipient_table_parse_senders(enum config_table_kind kind, struct slice text,
                                                      struct hash_key key, struct recipient_warnings *warnings) {
    return parse(kind, text, key, true, warnings);
}

void recipient_table_free(struct recipient_table *t) {
    if (!t)
        return;
    map_done(&t->map);
    arena_done(&t->arena);
    free(t);
}

size_t recipient_table_count(const struct recipient_table *t) { return t->map.n; }
