// standing_mark: what people said of senders; and what people see and clear.
#include "core/policy/standing_inside.h"

#include "mail/address.h"

enum { NAME_MEMORY = 64 * 1024, LOCAL_MAX = 64 };

// --- names

static bool is_domain(struct slice s) {
    return slice_find(s, '.') < s.n && s.n <= STANDING_DOMAIN_MAX && address_domain_ok(s);
}

static bool is_mailbox(struct slice s) {
    size_t at = slice_rfind(s, '@');
    for (size_t i = 0; i < at && at < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return at > 0 && at <= LOCAL_MAX && at < s.n && is_domain(slice_from(s, at + 1));
}

// An address means its /64 where it is IPv6; a network is written as it is kept. False: it is a domain, or nothing.
static bool canonical_net(struct slice what, char to[CLIENT_NAME], struct slice *name) {
    struct netaddr_net net;
    struct netaddr a = {0};
    if (netaddr_parse_ip(what, &a))
        *name = client_name_address(&a, to);
    else if (netaddr_parse_net(what, &net))
        *name = client_name_net(&net.base, net.bits, to);
    else
        return false;
    return true;
}

// As envelopes have it: A-labels. What is no name stays what it is.
static struct slice canonical_name(struct slice what, struct arena *arena) {
    size_t at = slice_rfind(what, '@');
    bool mailbox = at > 0 && at < what.n;
    struct slice local = slice_upto(what, mailbox ? at : 0), domain = slice_from(what, mailbox ? at + 1 : 0), normal;
    struct err ignored;
    if (!mailbox && what.n && (what.p[0] == '@' || what.p[0] == '.'))
        domain = slice_from(what, 1);
    if (!is_domain(domain) || !address_normalize_domain(domain, arena, &normal, &ignored))
        return what;
    return mailbox ? arena_printf(arena, "%.*s@%.*s", SLICE_ARG(local), SLICE_ARG(normal)) : normal;
}

static struct slice canonical(struct slice what, char to[CLIENT_NAME], struct arena *arena) {
    struct slice name;
    return canonical_net(what, to, &name) ? name : canonical_name(what, arena);
}

// --- marks

static void note_length(struct standing *s, struct slice name, int by) {
    struct netaddr_net net;
    if (netaddr_parse_net(name, &net)) {
        uint16_t *n = &s->lengths[net.base.family == NETADDR_V6][net.bits];
        *n = (uint16_t)(*n + by);
    }
}

static bool blocks_name(const struct standing_marked *m) {
    struct netaddr_net net;
    return m->mark == STANDING_BLOCKED && !netaddr_parse_net(m->entry.key, &net);
}

enum standing_mark standing_mark_of(const struct standing *s, struct slice name) {
    const struct standing_marked *m = s->marks.map.n ? bounded_find(&s->marks, name) : NULL;
    return m ? m->mark : STANDING_UNMARKED;
}

enum standing_mark standing_mark_of_client(const struct standing *s, const struct netaddr *client) {
    const uint16_t *lengths = s->lengths[client->family == NETADDR_V6];
    int bits = client->family == NETADDR_NONE || !s->marks.map.n ? -1 : client->family == NETADDR_V4 ? 32 : 128;
    for (; bits >= 0; bits--) { // the narrowest decides
        char name[CLIENT_NAME];
        enum standing_mark mark =
            lengths[bits] ? standing_mark_of(s, client_name_net(client, (uint8_t)bits, name)) : STANDING_UNMARKED;
        if (mark != STANDING_UNMARKED)
            return mark;
    }
    return STANDING_UNMARKED;
}

bool standing_blocks_sender(const struct standing *s, struct slice mailbox) {
    struct slice name = mailbox;
    enum standing_mark mark = s->blocked_names ? standing_mark_of(s, name) : STANDING_UNMARKED;
    if (!s->blocked_names || mailbox.n == 0)
        return false;
    name = slice_from(mailbox, slice_rfind(mailbox, '@') + 1);
    while (mark == STANDING_UNMARKED && name.n) {
        mark = standing_mark_of(s, name);
        name = slice_from(name, slice_find(name, '.') + 1);
    }
    return mark == STANDING_BLOCKED;
}

static void forget_mark(struct standing *s, struct standing_marked *m) {
    note_length(s, m->entry.key, -1);
    s->blocked_names -= blocks_name(m);
    bounded_remove(&s->marks, &m->entry);
}

bool standing_set_mark(struct standing *s, struct slice what, enum standing_mark mark, struct wall now) {
    ARENA_AUTO struct arena arena = {.max = NAME_MEMORY};
    char text[CLIENT_NAME];
    struct slice name;
    bool net = canonical_net(what, text, &name);
    if (!net)
        name = canonical_name(what, &arena);
    if (!net && !is_domain(name) && !(mark == STANDING_BLOCKED && is_mailbox(name)))
        return false;
    struct standing_marked *m = bounded_find(&s->marks, name);
    if (!m && s->marks.map.n >= STANDING_MARKS)
        return false;
    if (m)
        s->blocked_names -= blocks_name(m);
    else
        note_length(s, name, 1);
    m = bounded_get(&s->marks, name);
    m->mark = mark;
    m->since = now;
    s->blocked_names += blocks_name(m);
    return true;
}

// --- for people

static void list_mark(const struct standing_marked *m, void (*each)(void *arg, const struct standing_line *line),
                      void *arg) {
    struct netaddr_net net;
    bool is_net = netaddr_parse_net(m->entry.key, &net);
    bool one = is_net && net.bits == (net.base.family == NETADDR_V4 ? 32 : 64);
    struct standing_line line = {.kind = one      ? STANDING_ADDRESS
                                         : is_net ? STANDING_NETWORK
                                                  : STANDING_DOMAIN,
                                 .mark = m->mark,
                                 .what = m->entry.key,
                                 .since = m->since};
    each(arg, &line);
}

static struct standing_line line_of(const struct standing *s, enum standing_kind kind, const struct standing_entry *e,
                                    struct wall now) {
    struct standing_line line = {.kind = kind, .what = e->entry.key, .good = e->good};
    line.shut_out = kind == STANDING_ADDRESS && standing_is_shut(s, e, now);
    line.known = kind != STANDING_NETWORK && !line.shut_out && standing_is_known(s, e, now);
    line.points = line.shut_out ? e->led : sliding_sum(&e->points, s->config->window, now);
    line.until.ms = line.shut_out ? e->until.ms : 0;
    line.since.ms = e->good ? e->first.ms : 0;
    line.of = e;
    return line;
}

void standing_line_why(const struct standing_line *line, char to[STANDING_WHY]) {
    *to = 0;
    if (line->of && line->points)
        standing_why(line->of, to);
}

enum { RANKS = 4 };

static int rank(const struct standing_line *l) { return l->shut_out ? 0 : l->points ? 1 : l->known ? 2 : 3; }

static void list_one(const struct standing *s, struct slice name, struct wall now,
                     void (*each)(void *arg, const struct standing_line *line), void *arg) {
    for (int k = 0; k < STANDING_KINDS; k++) {
        const struct standing_entry *e = bounded_find(&s->by[k], name);
        if (!e)
            continue;
        struct standing_line line = line_of(s, (enum standing_kind)k, e, now);
        each(arg, &line);
    }
}

static void list_rank(const struct standing *s, enum standing_kind kind, int which, struct wall now,
                      void (*each)(void *arg, const struct standing_line *line), void *arg) {
    const struct standing_entry *e;
    for (size_t at = 0; (e = map_next(&s->by[kind].map, &at));) {
        struct standing_line line = line_of(s, kind, e, now);
        if (rank(&line) == which && (line.points || line.good))
            each(arg, &line);
    }
}

void standing_list(const struct standing *s, struct slice what, struct wall now,
                   void (*each)(void *arg, const struct standing_line *line), void *arg) {
    ARENA_AUTO struct arena arena = {.max = NAME_MEMORY};
    const struct standing_marked *m;
    char text[CLIENT_NAME];
    struct slice only = canonical(what, text, &arena);
    for (size_t at = 0; (m = map_next(&s->marks.map, &at));)
        if (!only.n || slice_eq(only, m->entry.key))
            list_mark(m, each, arg);
    if (only.n)
        list_one(s, only, now, each, arg);
    for (int r = 0; !only.n && r < RANKS; r++)
        for (int k = 0; k < STANDING_KINDS; k++)
            list_rank(s, (enum standing_kind)k, r, now, each, arg);
}

// --- clearing

static uint32_t clear_points(struct standing *s, struct wall now) {
    uint32_t n = 0;
    for (int k = 0; k < STANDING_KINDS; k++) {
        struct standing_entry *e;
        for (size_t at = 0; (e = map_next(&s->by[k].map, &at));) {
            if (!standing_is_shut(s, e, now) && !sliding_sum(&e->points, s->config->window, now))
                continue;
            e->points = e->unknown = (struct sliding){.now = 0};
            e->until = (struct wall){0};
            e->shuts = 0;
            bounded_changed(&s->by[k], &e->entry);
            n++;
        }
    }
    return n;
}

uint32_t standing_clear(struct standing *s, struct slice what, struct wall now) {
    ARENA_AUTO struct arena arena = {.max = NAME_MEMORY};
    char text[CLIENT_NAME];
    struct slice only = canonical(what, text, &arena);
    struct standing_marked *m = only.n ? bounded_find(&s->marks, only) : NULL;
    uint32_t n = 0;
    if (!only.n)
        return clear_points(s, now);
    for (int k = 0; k < STANDING_KINDS; k++) {
        struct standing_entry *e = bounded_find(&s->by[k], only);
        if (e)
            bounded_remove(&s->by[k], &e->entry);
        n += e != NULL;
    }
    if (m)
        forget_mark(s, m);
    return n + (m != NULL);
}
