// rates: buckets as the time at which they will be full again (the generic cell rate algorithm).
#include "core/policy/rates.h"

#include "base/pack.h"
#include "core/policy/client_name.h"
#include "core/policy/quota.h"

#include <stdio.h>

enum {
    SWEEP_MOST = 2000,
    NAME_SHOWN = 100,
    NS_MS = 1000000,
    RATE_KEY = 19, // bytes that stand for a rate
    KEY_MAX = RATE_KEY + RATES_NAME_MAX,
    PER_DAYS = 366, // of a rate that is loaded
};

static const char letter = 'b';

struct bucket {
    struct bounded_entry entry; // its key: the rate as it was said, then the name
    struct mono full;           // when it is, or was
    int64_t half_ns;            // how far ahead of now that lies when it is half empty
    bool refused;               // the last one
};

void rates_init(struct rates *r, const struct config_rate *list, size_t n, const struct hash_key *key) {
    *r = (struct rates){.list = list, .n = n < RATES_MAX ? n : RATES_MAX};
    for (int i = 0; i < CONFIG_RATE_BYS; i++)
        bounded_init(&r->by[i], sizeof(struct bucket), RATES_ENTRIES, key);
}

void rates_done(struct rates *r) {
    for (int i = 0; i < CONFIG_RATE_BYS; i++)
        bounded_done(&r->by[i]);
}

// --- names

struct names {
    struct slice of[CONFIG_RATE_BYS]; // empty: not known
    char address[CLIENT_NAME], network[CLIENT_NAME];
    char helo[RATES_NAME_MAX], sender_domain[RATES_NAME_MAX], recipient[RATES_NAME_MAX];
};

// Bob and BOB are one.
static struct slice lower(struct slice s, char to[RATES_NAME_MAX]) {
    s = slice_upto(s, RATES_NAME_MAX);
    for (size_t i = 0; i < s.n; i++)
        to[i] = ascii_lower(s.p[i]);
    return slice_of(to, s.n);
}

static void names_of(const struct message_tally *m, struct names *n) {
    n->of[CONFIG_RATE_CLIENT] = client_name_address(&m->client, n->address);
    n->of[CONFIG_RATE_NETWORK] = client_name_network(&m->client, n->network);
    n->of[CONFIG_RATE_HELO] = lower(m->helo, n->helo);
    n->of[CONFIG_RATE_SENDER_DOMAIN] = lower(m->sender_domain, n->sender_domain);
    n->of[CONFIG_RATE_RECIPIENT] = lower(m->recipient, n->recipient);
}

static struct slice key_of(const struct config_rate *c, struct slice name, char to[KEY_MAX]) {
    struct buf b = {.p = to, .cap = KEY_MAX, .max = KEY_MAX};
    pack_u8(&b, (uint8_t)c->what);
    pack_u8(&b, (uint8_t)c->by);
    pack_u8(&b, c->built_in);
    pack_u32(&b, c->count);
    pack_u32(&b, c->burst);
    pack_i64(&b, c->per);
    buf_add(&b, name);
    return buf_slice(&b);
}

// --- one bucket

static int64_t each_ns(const struct config_rate *c) { return c->count ? c->per * NS_MS / c->count : INT64_MAX / 4; }

// How far ahead `full` may lie for one more to be within the rate.
static int64_t slack_ns(const struct config_rate *c) {
    int64_t each = each_ns(c), most = INT64_MAX / 4;
    return c->burst <= 1 ? 0 : each > most / (c->burst - 1) ? most : each * (c->burst - 1);
}

static int64_t wait_ns(const struct config_rate *c, const struct bucket *b, struct mono now) {
    if (!c->count)
        return each_ns(c); // none, ever
    int64_t ahead = b ? b->full.ns - now.ns : 0;
    return ahead > slack_ns(c) ? ahead - slack_ns(c) : 0;
}

static void take(struct bounded *b, const struct config_rate *c, struct slice key, struct mono now) {
    struct bucket *at = bounded_get(b, key);
    int64_t from = at->full.ns > now.ns ? at->full.ns : now.ns;
    at->full.ns = from > INT64_MAX / 2 ? from : from + each_ns(c);
    at->half_ns = (slack_ns(c) + each_ns(c)) / 2;
    if (wait_ns(c, at, now) == 0)
        at->refused = false;
}

// --- what is said

static void words(const struct config_rate *c, struct slice name, int64_t wait, char to[RATES_TEXT]) {
    static const char *const what[CONFIG_RATE_WHATS] = {"connections", "messages", "recipients", "unknown recipients",
                                                        "errors"};
    static const char *const by[CONFIG_RATE_BYS] = {"from ", "from ", "from hosts called ", "from ", "to "};
    char time[32];
    struct buf b = {.p = to, .cap = RATES_TEXT, .max = RATES_TEXT - 1};
    quota_words(time, wait / NS_MS);
    buf_addf(&b, "too many %s %s", what[c->what], by[c->by]);
    for (size_t i = 0; i < name.n && i < NAME_SHOWN; i++)
        buf_add_char(&b, name.p[i] > ' ' && name.p[i] < 0x7f ? name.p[i] : '?');
    if (c->count)
        buf_addf(&b, "; try again in %s", time);
    to[b.n] = 0;
}

static void refuse(struct rates *r, size_t i, struct slice key, int64_t wait, struct rates_refusal *refusal) {
    const struct config_rate *c = &r->list[i];
    struct bucket *b = bounded_get(&r->by[c->by], key);
    refusal->rate = c;
    refusal->first = !b->refused;
    b->refused = true;
    words(c, slice_from(key, RATE_KEY), wait, refusal->text);
}

// --- all that apply

static bool applies(const struct config_rate *c, const struct message_tally *m, const struct names *names) {
    return c->what == m->what && names->of[c->by].n && !(c->built_in && m->local);
}

static bool is_within(struct rates *r, const struct message_tally *m, const struct names *names, struct mono now,
                      struct rates_refusal *refusal) {
    for (size_t i = 0; i < r->n; i++) {
        const struct config_rate *c = &r->list[i];
        char text[KEY_MAX];
        if (!applies(c, m, names))
            continue;
        struct slice key = key_of(c, names->of[c->by], text);
        int64_t wait = wait_ns(c, bounded_find(&r->by[c->by], key), now);
        if (wait > 0) {
            refuse(r, i, key, wait, refusal);
            return false;
        }
    }
    return true;
}

bool rates_take(struct rates *r, const struct message_tally *m, struct mono now, struct rates_refusal *refusal) {
    struct names names;
    names_of(m, &names);
    bool ok = is_within(r, m, &names, now, refusal);
    for (size_t i = 0; i < r->n; i++) {
        char text[KEY_MAX];
        const struct config_rate *c = &r->list[i];
        if (ok && applies(c, m, &names))
            take(&r->by[c->by], c, key_of(c, names.of[c->by], text), now);
    }
    return ok;
}

void rates_sweep(struct rates *r, struct mono now) {
    for (int by = 0; by < CONFIG_RATE_BYS; by++)
        for (int i = 0; i < SWEEP_MOST; i++) {
            struct bucket *b = (struct bucket *)(void *)bounded_oldest(&r->by[by]);
            if (!b || b->full.ns > now.ns)
                break;
            bounded_remove(&r->by[by], &b->entry);
        }
}

size_t rates_entries(const struct rates *r) {
    size_t n = 0;
    for (int by = 0; by < CONFIG_RATE_BYS; by++)
        n += r->by[by].map.n;
    return n;
}

// --- to be kept

static bool is_worth(const struct bucket *b, struct mono now) {
    int64_t ahead = b->full.ns - now.ns;
    return ahead > b->half_ns && ahead > (int64_t)RATES_KEPT_MS * NS_MS;
}

static void pack_change(const struct bucket *b, struct rates_now now, struct buf *key, struct buf *value) {
    buf_add_char(key, letter);
    buf_add(key, b->entry.key);
    if (!b->entry.gone)
        pack_i64(value, wall_add_ms(now.wall, (b->full.ns - now.mono.ns) / NS_MS).ms);
}

bool rates_next_change(struct rates *r, struct rates_now now, struct buf *key, struct buf *value) {
    for (int by = 0; by < CONFIG_RATE_BYS; by++) {
        struct bounded_entry *e;
        while ((e = bounded_next_change(&r->by[by]))) {
            const struct bucket *b = (const struct bucket *)(void *)e;
            if (e->gone || is_worth(b, now.mono)) {
                pack_change(b, now, key, value);
                bounded_kept(&r->by[by], e);
                return true;
            }
            bounded_unchanged(&r->by[by], e);
        }
    }
    return false;
}

void rates_change_all(struct rates *r) {
    for (int by = 0; by < CONFIG_RATE_BYS; by++)
        bounded_change_all(&r->by[by]);
}

// A clock that was set back makes nobody wait longer than the bucket takes to fill. Of a rate that there isn't any
// more, it is swept.
bool rates_load(struct rates *r, struct slice key, struct slice value, struct rates_now now) {
    struct unpack u = {.rest = value};
    struct wall full = {unpack_i64(&u)};
    struct slice name = slice_from(key, 1);
    if (!key.n || key.p[0] != letter || !unpack_end(&u) || full.ms < 0 || name.n <= RATE_KEY || name.n > KEY_MAX)
        return false;
    struct unpack rate = {.rest = slice_from(name, 1)};
    uint8_t by = unpack_u8(&rate);
    unpack_u8(&rate);
    struct config_rate c = {.count = unpack_u32(&rate)};
    c.burst = unpack_u32(&rate);
    c.per = unpack_i64(&rate);
    if (by >= CONFIG_RATE_BYS || !c.count || c.per <= 0 || c.per > (int64_t)PER_DAYS * MS_DAY)
        return false;
    struct bucket *b = bounded_get(&r->by[by], name);
    int64_t most = slack_ns(&c) + each_ns(&c), left = full.ms - now.wall.ms;
    left = left < 0 ? 0 : left < most / NS_MS ? left : most / NS_MS;
    b->full.ns = now.mono.ns + left * NS_MS;
    b->half_ns = most / 2;
    bounded_kept(&r->by[by], &b->entry);
    return true;
}
