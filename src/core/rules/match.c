// match: names in a map, networks sorted by length and address, patterns one after the other.
#include "core/rules/match.h"

#include "base/map.h"
#include "base/mem.h"
#include "core/rules/pattern.h"
#include "core/route/recipient_table.h"
#include "wire/netaddr.h"

#include <stdlib.h>

enum { LENGTHS = 129, COSTLY_MAX = 3 }; // looks that may meet a pattern's limits before a value is given up

struct match {
    struct arena arena;
    struct map names; // from the name to its own bytes
    struct netaddr_net *nets;
    size_t nets_n, nets_cap;
    bool lengths[2][LENGTHS]; // that occur in `nets`: IPv4, IPv6
    struct pattern *patterns[MATCH_PATTERNS_MAX];
    size_t patterns_n;
};

struct reader {
    struct match *m;
    struct recipient_warnings *warnings;
    uint32_t line;
};

static void warn(struct reader *r, const char *what, struct slice found) {
    struct slice shown = recipient_show(r->warnings, found);
    recipient_warn(r->warnings, r->line, "expected %s, found %.*s; passed over", what, SLICE_ARG(shown));
}

static void lower(char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] = ascii_lower(p[i]);
}

// --- reading

static bool add_net(struct reader *r, struct slice s) {
    struct match *m = r->m;
    struct netaddr_net net;
    if (!netaddr_parse_net(s, &net))
        return false;
    if (m->nets_n == m->nets_cap) {
        m->nets_cap = m->nets_cap ? 2 * m->nets_cap : 64;
        m->nets = mem_grow(m->nets, m->nets_cap, sizeof *m->nets);
    }
    m->nets[m->nets_n++] = net;
    m->lengths[net.base.family == NETADDR_V6][net.bits] = true;
    return true;
}

static void read_net(struct reader *r, struct slice line) {
    struct slice net = slice_trim(slice_upto(line, slice_find(slice_upto(line, slice_find(line, '#')), ';')));
    if (!add_net(r, net))
        warn(r, "a network such as 192.0.2.0/24 or 2001:db8::/32", net);
}

static bool is_name(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && s.n <= MATCH_VALUE_MAX;
}

static void read_name(struct reader *r, struct slice name) {
    if (add_net(r, name))
        return;
    struct slice key = is_name(name) ? arena_dup(&r->m->arena, name) : SLICE_EMPTY;
    if (!key.p) {
        warn(r, "a name or a network", name);
        return;
    }
    lower((char *)key.p, key.n); // our own copy
    map_set(&r->m->names, key, (char *)key.p);
}

// In the form of aliases(5), as config_part_table makes it.
static void read_inline(struct reader *r, struct slice line) {
    if (line.n > 1 && line.p[0] == '"' && line.p[line.n - 1] == '"')
        line = slice_of(line.p + 1, line.n - 2);
    else
        line = slice_upto(line, slice_find(line, ':'));
    read_name(r, slice_trim(line));
}

static void read_pattern(struct reader *r, struct slice line) {
    struct match *m = r->m;
    struct err e;
    if (m->patterns_n == MATCH_PATTERNS_MAX)
        recipient_warn(r->warnings, r->line, "expected at most %d patterns, found more; passed over",
                       MATCH_PATTERNS_MAX);
    else if (pattern_compile(line, &m->arena, &m->patterns[m->patterns_n], &e))
        m->patterns_n++;
    else
        recipient_warn(r->warnings, r->line, "expected a regular expression, found that %s; passed over", e.text);
}

static void read_line(struct reader *r, enum config_table_kind kind, struct slice line) {
    switch (kind) {
    case CONFIG_TABLE_CIDR:
        read_net(r, line);
        return;
    case CONFIG_TABLE_REGEX:
        read_pattern(r, line);
        return;
    case CONFIG_TABLE_INLINE:
        read_inline(r, line);
        return;
    default:
        read_name(r, line);
    }
}

// The shorter first; equal ones beside each other.
static int compare_nets(const void *a, const void *b) {
    const struct netaddr_net *x = a, *y = b;
    if (x->base.family != y->base.family)
        return x->base.family < y->base.family ? -1 : 1;
    if (x->bits != y->bits)
        return x->bits < y->bits ? -1 : 1;
    return memcmp(x->base.ip, y->base.ip, sizeof x->base.ip);
}

struct match *match_parse(enum config_table_kind kind, struct slice text, struct hash_key key,
                          struct recipient_warnings *warnings) {
    if (text.n > MATCH_TEXT_MAX) {
        recipient_warn(warnings, 0, "the table has more than %d bytes", MATCH_TEXT_MAX);
        return NULL;
    }
    struct match *m = MEM_NEW(struct match);
    *m = (struct match){.names.key = key, .arena.max = (size_t)MATCH_TEXT_MAX * 16};
    struct reader r = {.m = m, .warnings = warnings};
    while (text.n) {
        struct slice line;
        slice_cut(text, '\n', &line, &text);
        line = slice_trim(line);
        r.line++;
        if (line.n && line.p[0] != '#')
            read_line(&r, kind, line);
    }
    if (m->nets_n)
        qsort(m->nets, m->nets_n, sizeof *m->nets, compare_nets);
    return m;
}

void match_free(struct match *m) {
    if (!m)
        return;
    map_done(&m->names);
    arena_done(&m->arena);
    free(m->nets);
    free(m);
}

size_t match_count(const struct match *m) { return m->names.n + m->nets_n + m->patterns_n; }

// --- looking

static void mask(struct netaddr *a, unsigned bits) {
    for (unsigned i = 0; i < sizeof a->ip; i++) {
        unsigned keep = bits > i * 8 ? bits - i * 8 : 0;
        if (keep < 8)
            a->ip[i] = (uint8_t)(a->ip[i] & (0xff00u >> keep));
    }
}

static bool has_address(const struct match *m, const struct netaddr *at) {
    unsigned v6 = at->family == NETADDR_V6;
    for (unsigned bits = 0; bits < LENGTHS; bits++) {
        if (!m->lengths[v6][bits])
            continue;
        struct netaddr_net net = {.base = *at, .bits = (uint8_t)bits};
        net.base.port = 0;
        mask(&net.base, bits);
        if (bsearch(&net, m->nets, m->nets_n, sizeof net, compare_nets))
            return true;
    }
    return false;
}

static bool has_name(const struct match *m, struct slice name) { return map_get(&m->names, name) != NULL; }

// What is above it: .b.c and .c for a.b.c; with an @ before it, where it is an address's.
static bool has_above(const struct match *m, struct slice domain, bool at) {
    char key[MATCH_VALUE_MAX + 2];
    for (size_t dot = slice_find(domain, '.'); dot < domain.n; dot = slice_find(domain, '.')) {
        struct slice above = slice_from(domain, dot);
        key[0] = '@';
        memcpy(key + at, above.p, above.n);
        if (has_name(m, slice_of(key, above.n + at)))
            return true;
        domain = slice_from(domain, dot + 1);
    }
    return false;
}

static bool has_text(const struct match *m, struct slice value) {
    if (has_name(m, value))
        return true;
    size_t at = slice_rfind(value, '@');
    if (at == value.n)
        return has_above(m, value, false);
    return has_name(m, slice_from(value, at)) || has_above(m, slice_from(value, at + 1), true);
}

static bool has_pattern(const struct match *m, struct slice value) {
    unsigned costly = 0;
    for (size_t i = 0; i < m->patterns_n && costly < COSTLY_MAX; i++) {
        enum pattern_found found = pattern_look(m->patterns[i], value);
        if (found == PATTERN_YES)
            return true;
        costly += found == PATTERN_TOO_MUCH;
    }
    return false;
}

bool match_has(const struct match *m, struct slice value) {
    char text[MATCH_VALUE_MAX];
    struct netaddr at;
    if (value.n > MATCH_VALUE_MAX)
        return false;
    if (value.n)
        memcpy(text, value.p, value.n);
    lower(text, value.n);
    value = slice_of(text, value.n);
    if (m->nets_n && netaddr_parse_ip(value, &at) && has_address(m, &at))
        return true;
    return (m->names.n && has_text(m, value)) || has_pattern(m, value);
}
