// greylist: first sights, returns, and whom we wrote to.
#include "core/policy/greylist.h"

#include "base/pack.h"

#include <assert.h>

enum { SWEEP_MOST = 2000, KEY_MAX = 2 * GREYLIST_NAME_MAX + CLIENT_NAME + 2 };

struct known {
    struct bounded_entry entry;
    struct wall when; // WAITING: first sight; else the last use that was noted
};

void greylist_init(struct greylist *g, const struct config_greylist *c, const struct hash_key *key) {
    *g = (struct greylist){.config = c};
    for (int k = 0; k < GREYLIST_KINDS; k++)
        bounded_init(&g->by[k], sizeof(struct known), GREYLIST_ENTRIES, key);
}

void greylist_done(struct greylist *g) {
    for (int k = 0; k < GREYLIST_KINDS; k++)
        bounded_done(&g->by[k]);
}

static int64_t life_of(const struct greylist *g, int kind) {
    return kind == GREYLIST_WAITING ? g->config->window : g->config->keep;
}

// One whose time lies ahead is from before the clock stepped back: it is as good as new.
static bool is_over(const struct greylist *g, int kind, const struct known *k, struct wall now) {
    return now.ms - k->when.ms >= life_of(g, kind);
}

// --- keys: "domain", or "network NUL domain of the sender"; for what waits, NUL and the recipient behind it

static struct slice domain_of(struct slice address) { return slice_from(address, slice_rfind(address, '@') + 1); }

static struct slice cut(struct slice s) { return slice_upto(s, GREYLIST_NAME_MAX); }

static struct slice network_of(const struct message_greylist *m, char to[KEY_MAX]) {
    struct buf b = {.p = to, .cap = KEY_MAX, .max = KEY_MAX};
    char network[CLIENT_NAME];
    buf_add(&b, client_name_network(&m->client, network));
    buf_add_char(&b, 0);
    buf_add(&b, cut(domain_of(m->sender)));
    return buf_slice(&b);
}

static struct slice who_of(const struct message_greylist *m, char to[KEY_MAX]) {
    return m->domain.n ? cut(m->domain) : network_of(m, to);
}

static struct slice with_recipient(struct slice who, struct slice recipient, char to[KEY_MAX]) {
    struct buf b = {.p = to, .cap = KEY_MAX, .max = KEY_MAX};
    memmove(to, who.p, who.n);
    b.n = who.n;
    buf_add_char(&b, 0);
    buf_add(&b, cut(recipient));
    return buf_slice(&b);
}

// --- asking

// Whether that entry is there and holds; its use is noted now and then.
static bool passes(struct greylist *g, enum greylist_kind kind, struct slice key, struct wall now) {
    struct known *k = key.n ? bounded_find(&g->by[kind], key) : NULL;
    int64_t often = g->config->keep / 8 < MS_HOUR ? g->config->keep / 8 : MS_HOUR;
    if (!k || is_over(g, kind, k, now))
        return false;
    bounded_touch(&g->by[kind], &k->entry);
    if (now.ms - k->when.ms > often || k->when.ms > now.ms) {
        k->when = now;
        bounded_changed(&g->by[kind], &k->entry);
    }
    return true;
}

static bool wrote_to(struct greylist *g, const struct message_greylist *m, struct wall now) {
    return passes(g, GREYLIST_ADDRESS, cut(m->sender), now) || passes(g, GREYLIST_DOMAIN, cut(m->domain), now);
}

static void remember(struct greylist *g, enum greylist_kind kind, struct slice key, struct wall now) {
    if (key.n)
        ((struct known *)bounded_get(&g->by[kind], key))->when = now;
}

static struct message_greylist_reply try_again(struct greylist *g, struct slice who, struct slice recipient,
                                               struct wall now) {
    char text[KEY_MAX];
    struct bounded *waiting = &g->by[GREYLIST_WAITING];
    struct slice key = with_recipient(who, recipient, text);
    struct known *k = bounded_find(waiting, key);
    int64_t wait = g->config->wait;
    if (!k || is_over(g, GREYLIST_WAITING, k, now) || k->when.ms > now.ms) {
        remember(g, GREYLIST_WAITING, key, now);
        return (struct message_greylist_reply){.wait_ms = wait};
    }
    if (now.ms - k->when.ms < wait)
        return (struct message_greylist_reply){.wait_ms = wait - (now.ms - k->when.ms)};
    bounded_remove(waiting, &k->entry);
    remember(g, GREYLIST_PROVEN, who, now);
    return (struct message_greylist_reply){.proven = MESSAGE_PROVEN_CAME_BACK};
}

struct message_greylist_reply greylist_ask(struct greylist *g, const struct message_greylist *m, struct wall now) {
    char text[KEY_MAX], network[KEY_MAX];
    struct slice who = who_of(m, text);
    if (wrote_to(g, m, now))
        return (struct message_greylist_reply){.proven = MESSAGE_PROVEN_WROTE_TO};
    if (passes(g, GREYLIST_PROVEN, who, now) ||
        (m->domain.n && passes(g, GREYLIST_PROVEN, network_of(m, network), now)))
        return (struct message_greylist_reply){.proven = MESSAGE_PROVEN_CAME_BACK};
    if (m->only_ask)
        return (struct message_greylist_reply){.wait_ms = g->config->wait};
    return try_again(g, who, m->recipient, now);
}

void greylist_wrote(struct greylist *g, struct slice address, struct wall now) {
    struct slice domain = domain_of(address);
    if (!domain.n)
        return; // no address
    if (!passes(g, GREYLIST_ADDRESS, cut(address), now))
        remember(g, GREYLIST_ADDRESS, cut(address), now);
    if (!passes(g, GREYLIST_DOMAIN, cut(domain), now))
        remember(g, GREYLIST_DOMAIN, cut(domain), now);
}

// --- for people

static struct greylist_line line_of(const struct greylist *g, enum greylist_kind kind, const struct known *k) {
    struct slice rest = k->entry.key;
    struct greylist_line line = {.kind = kind, .since = k->when};
    line.until = wall_add_ms(k->when, kind == GREYLIST_WAITING ? g->config->wait : g->config->keep);
    if (kind == GREYLIST_WAITING) {
        size_t at = slice_rfind(rest, 0);
        line.recipient = slice_from(rest, at + 1);
        rest = slice_upto(rest, at);
    }
    slice_cut(rest, 0, &line.who, &line.sender);
    return line;
}

static bool concerns(const struct greylist_line *line, struct slice what, struct slice network) {
    return !what.n || slice_eq(line->who, what) || (network.n && slice_eq(line->who, network)) ||
           slice_eq(line->sender, what) || slice_eq(line->recipient, what);
}

static struct slice network_named(struct slice what, char to[CLIENT_NAME]) {
    struct netaddr a = {0};
    return netaddr_parse_ip(what, &a) ? client_name_network(&a, to) : SLICE_EMPTY;
}

void greylist_list(const struct greylist *g, struct slice what, struct wall now,
                   void (*each)(void *arg, const struct greylist_line *line), void *arg) {
    char text[CLIENT_NAME];
    struct slice network = network_named(what, text);
    for (int kind = 0; kind < GREYLIST_KINDS; kind++) {
        const struct known *k;
        for (size_t at = 0; (k = map_next(&g->by[kind].map, &at));) {
            struct greylist_line line = line_of(g, (enum greylist_kind)kind, k);
            if (!is_over(g, kind, k, now) && concerns(&line, what, network))
                each(arg, &line);
        }
    }
}

uint32_t greylist_clear(struct greylist *g, struct slice what) {
    char text[CLIENT_NAME];
    struct slice network = network_named(what, text);
    uint32_t n = 0;
    for (int kind = 0; kind < (what.n ? GREYLIST_KINDS : GREYLIST_WAITING + 1); kind++) {
        struct known *k;
        for (size_t at = 0; (k = map_next(&g->by[kind].map, &at));) {
            struct greylist_line line = line_of(g, (enum greylist_kind)kind, k);
            if (!concerns(&line, what, network))
                continue;
            bounded_remove(&g->by[kind], &k->entry);
            n++;
        }
    }
    return n;
}

void greylist_sweep(struct greylist *g, struct wall now) {
    for (int kind = 0; kind < GREYLIST_KINDS; kind++)
        for (int i = 0; i < SWEEP_MOST; i++) {
            struct known *k = (struct known *)(void *)bounded_oldest(&g->by[kind]);
            if (!k || !is_over(g, kind, k, now))
                break;
            bounded_remove(&g->by[kind], &k->entry);
        }
}

// --- to be kept

static const char letters[GREYLIST_KINDS] = {'w', 'p', 't', 'u'};

// First sights come last: a flood of them keeps nothing else from being kept.
bool greylist_next_change(struct greylist *g, struct buf *key, struct buf *value) {
    for (int kind = GREYLIST_KINDS - 1; kind >= GREYLIST_WAITING; kind--) {
        struct bounded_entry *e = bounded_next_change(&g->by[kind]);
        if (!e)
            continue;
        buf_add_char(key, letters[kind]);
        buf_add(key, e->key);
        if (!e->gone)
            pack_i64(value, ((const struct known *)(void *)e)->when.ms);
        bounded_kept(&g->by[kind], e);
        return true;
    }
    return false;
}

void greylist_change_all(struct greylist *g) {
    for (int kind = 0; kind < GREYLIST_KINDS; kind++)
        bounded_change_all(&g->by[kind]);
}

bool greylist_load(struct greylist *g, struct slice key, struct slice value) {
    struct unpack u = {.rest = value};
    struct slice name = slice_from(key, 1);
    struct wall when = {unpack_i64(&u)};
    if (!name.n || !unpack_end(&u) || when.ms < 0 || when.ms > INT64_MAX / 2)
        return false;
    for (int kind = 0; kind < GREYLIST_KINDS; kind++)
        if (key.p[0] == letters[kind]) {
            struct known *k = bounded_get(&g->by[kind], name);
            k->when = when;
            bounded_kept(&g->by[kind], &k->entry);
            return true;
        }
    return false;
}
