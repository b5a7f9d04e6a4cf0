// rates: buckets as the time at which they will be full again (the generic cell rate algorithm).
#include "core/rates.h"

#include "core/client_name.h"
#include "core/quota.h"

#include <stdio.h>

enum { SWEEP_MOST = 2000, NAME_SHOWN = 100, NS_MS = 1000000 };

struct bucket {
    struct bounded_entry entry; // its key: number of the rate in two bytes, then the name
    struct mono full;           // when it is, or was
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
};

static void names_of(const struct message_tally *m, struct names *n) {
    n->of[CONFIG_RATE_CLIENT] = client_name_address(&m->client, n->address);
    n->of[CONFIG_RATE_NETWORK] = client_name_network(&m->client, n->network);
    n->of[CONFIG_RATE_HELO] = slice_upto(m->helo, RATES_NAME_MAX);
    n->of[CONFIG_RATE_SENDER_DOMAIN] = slice_upto(m->sender_domain, RATES_NAME_MAX);
    n->of[CONFIG_RATE_RECIPIENT] = slice_upto(m->recipient, RATES_NAME_MAX);
}

static struct slice key_of(size_t rate, struct slice name, char to[RATES_NAME_MAX + 2]) {
    to[0] = (char)(rate >> 8);
    to[1] = (char)(rate & 0xff);
    memcpy(to + 2, name.p, name.n);
    return slice_of(to, name.n + 2);
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
    words(c, slice_from(key, 2), wait, refusal->text);
}

// --- all that apply

static bool applies(const struct config_rate *c, const struct message_tally *m, const struct names *names) {
    return c->what == m->what && names->of[c->by].n && !(c->built_in && m->local);
}

static bool is_within(struct rates *r, const struct message_tally *m, const struct names *names, struct mono now,
                      struct rates_refusal *refusal) {
    for (size_t i = 0; i < r->n; i++) {
        const struct config_rate *c = &r->list[i];
        char text[RATES_NAME_MAX + 2];
        if (!applies(c, m, names))
            continue;
        struct slice key = key_of(i, names->of[c->by], text);
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
        char text[RATES_NAME_MAX + 2];
        const struct config_rate *c = &r->list[i];
        if (ok && applies(c, m, &names))
            take(&r->by[c->by], c, key_of(i, names.of[c->by], text), now);
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
