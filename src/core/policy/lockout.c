// lockout: counters with a sliding window, and who is known where.
#include "core/policy/lockout_inside.h"

#include <assert.h>

enum { SWEEP_MOST = 1000, FLIGHT_MS = 30 * MS_SECOND };

const char *lockout_kind_name(enum lockout_kind k) {
    static const char *const names[] = {"account", "address", "network"};
    assert(k < LOCKOUT_KINDS);
    return names[k];
}

void lockout_init(struct lockout *l, const struct config_lockout *c, const struct hash_key *key) {
    *l = (struct lockout){.config = c};
    for (size_t i = 0; i < LOCKOUT_KINDS; i++)
        bounded_init(&l->counters[i], sizeof(struct lockout_counter), LOCKOUT_ENTRIES, key);
    bounded_init(&l->known, sizeof(struct lockout_known), LOCKOUT_ENTRIES, key);
}

void lockout_done(struct lockout *l) {
    for (size_t i = 0; i < LOCKOUT_KINDS; i++)
        bounded_done(&l->counters[i]);
    bounded_done(&l->known);
}

// --- names

static struct netaddr_net net_of(const struct netaddr *client, uint8_t bits4, uint8_t bits6) {
    struct netaddr_net net = {.base = *client, .bits = client->family == NETADDR_V4 ? bits4 : bits6};
    net.base.port = 0;
    for (size_t i = net.bits / 8; i < sizeof net.base.ip; i++) // all are whole bytes
        net.base.ip[i] = 0;
    return net;
}

static void add_net(struct buf *b, const struct netaddr_net *net) {
    netaddr_add_ip(b, &net->base);
    if (net->bits != (net->base.family == NETADDR_V4 ? 32 : 128))
        buf_addf(b, "/%u", net->bits);
}

static struct netaddr_net address_of(const struct netaddr *client) { return net_of(client, 32, 64); }
static struct netaddr_net network_of(const struct netaddr *client) { return net_of(client, 24, 48); }

static struct slice account_of(struct slice user) { return slice_upto(user, LOCKOUT_USER_MAX); }

struct names {
    struct slice of[LOCKOUT_KINDS]; // empty: not known
    struct buf address, network;
};

static void names_begin(struct names *n, const struct netaddr *client, struct slice user) {
    *n = (struct names){.address = {.max = 64}, .network = {.max = 64}};
    n->of[LOCKOUT_ACCOUNT] = account_of(user);
    if (client->family == NETADDR_NONE)
        return;
    struct netaddr_net address = address_of(client), network = network_of(client);
    add_net(&n->address, &address);
    add_net(&n->network, &network);
    n->of[LOCKOUT_ADDRESS] = buf_slice(&n->address);
    n->of[LOCKOUT_NETWORK] = buf_slice(&n->network);
}

static void names_end(struct names *n) {
    buf_done(&n->address);
    buf_done(&n->network);
}

// --- counters

static uint32_t bound_of(const struct lockout *l, enum lockout_kind k) {
    const uint32_t bounds[] = {l->config->account, l->config->address, l->config->network};
    return bounds[k];
}

static uint32_t failures(const struct lockout *l, const struct lockout_counter *c, struct wall now) {
    int64_t window = l->config->window, age = now.ms - c->start.ms;
    if (age < 0)
        age = 0; // the clock stepped back
    if (age >= 2 * window)
        return 0;
    if (age >= window) // the present window is the one before by now
        return (uint32_t)((c->now * (uint64_t)(2 * window - age) + (uint64_t)window - 1) / (uint64_t)window);
    return c->now + (uint32_t)((c->before * (uint64_t)(window - age) + (uint64_t)window - 1) / (uint64_t)window);
}

static void roll(const struct lockout *l, struct lockout_counter *c, struct wall now) {
    int64_t window = l->config->window, age = now.ms - c->start.ms;
    if (age < 0 || age >= 2 * window) {
        c->before = age < 0 ? c->before : 0;
        c->now = age < 0 ? c->now : 0;
        c->start = now;
    } else if (age >= window) {
        c->before = c->now;
        c->now = 0;
        c->start.ms += window;
    }
}

static bool is_locked(const struct lockout *l, const struct lockout_counter *c, struct wall now) {
    return c->until.ms > now.ms && c->until.ms - now.ms <= l->config->time_most;
}

static bool stands(const struct lockout *l, const struct lockout_counter *c, struct wall now) {
    return is_locked(l, c, now) || failures(l, c, now) > 0;
}

// A lock that is long over is forgiven.
static bool remembers(const struct lockout *l, const struct lockout_counter *c, struct wall now) {
    return c->locks && now.ms - c->until.ms < l->config->time_most + l->config->window;
}

static int64_t lock_time(const struct lockout *l, uint32_t locks) {
    int64_t ms = l->config->time_first;
    while (locks-- > 0 && ms < l->config->time_most)
        ms *= 2;
    return ms < l->config->time_most ? ms : l->config->time_most;
}

// True when that made a lock.
static bool count(const struct lockout *l, struct lockout_counter *c, uint32_t bound, struct wall now) {
    roll(l, c, now);
    c->now += c->now < UINT32_MAX / 2;
    uint32_t n = failures(l, c, now);
    if (!bound || n < bound)
        return false;
    if (!remembers(l, c, now))
        c->locks = 0;
    c->until = wall_add_ms(now, lock_time(l, c->locks));
    c->locks += c->locks < 1000;
    c->led = n;
    c->now = c->before = 0;
    return true;
}

// --- who is known where

static bool is_fresh(const struct lockout_network *k, struct wall now) {
    return now.ms - k->last.ms < (int64_t)LOCKOUT_KNOWN_DAYS * MS_DAY;
}

bool lockout_knows(const struct lockout *l, const struct netaddr *client, struct slice user, struct wall now) {
    const struct lockout_known *k = bounded_find(&l->known, account_of(user));
    for (uint32_t i = 0; k && i < k->n; i++)
        if (netaddr_in_net(client, &k->nets[i].net) && is_fresh(&k->nets[i], now))
            return true;
    return false;
}

static struct lockout_network *place_for(struct lockout_known *k, const struct netaddr_net *net) {
    struct lockout_network *oldest = &k->nets[0];
    for (uint32_t i = 0; i < k->n; i++) {
        if (k->nets[i].net.bits == net->bits && netaddr_same_ip(&k->nets[i].net.base, &net->base))
            return &k->nets[i];
        if (k->nets[i].last.ms < oldest->last.ms)
            oldest = &k->nets[i];
    }
    return k->n < LOCKOUT_KNOWN_NETWORKS ? &k->nets[k->n++] : oldest;
}

static void learn(struct lockout *l, const struct netaddr *client, struct slice user, struct wall now) {
    if (!user.n || client->family == NETADDR_NONE)
        return;
    struct lockout_known *k = bounded_get(&l->known, account_of(user));
    struct netaddr_net net = network_of(client);
    *place_for(k, &net) = (struct lockout_network){.net = net, .last = now};
}

// --- the decisions

static struct lockout_counter *find(const struct lockout *l, enum lockout_kind k, struct slice name) {
    return name.n ? bounded_find(&l->counters[k], name) : NULL;
}

static int64_t delay_for(const struct lockout *l, uint32_t n) {
    int64_t ms = l->config->delay_first;
    for (uint32_t i = 0; i < n && ms > 0 && ms < l->config->delay_most; i++)
        ms *= 2;
    return ms < l->config->delay_most ? ms : l->config->delay_most;
}

static struct lockout_answer look(const struct lockout *l, const struct names *names, bool at_home, bool trusted,
                                  struct wall now) {
    struct lockout_answer answer = {.locked = false};
    uint32_t most = 0;
    for (int k = 0; k < LOCKOUT_KINDS; k++) {
        const struct lockout_counter *c = find(l, (enum lockout_kind)k, names->of[k]);
        if (!c || (k == LOCKOUT_ACCOUNT && at_home))
            continue;
        if (!answer.locked && is_locked(l, c, now) && (k == LOCKOUT_ACCOUNT || !trusted)) {
            answer.locked = true;
            answer.by = (enum lockout_kind)k;
        }
        uint32_t n = failures(l, c, now);
        if (k != LOCKOUT_NETWORK && n > most)
            most = n;
    }
    answer.delay_ms = answer.locked ? l->config->delay_most : delay_for(l, most);
    return answer;
}

// --- tries under way

static uint32_t under_way(struct lockout_counter *c, struct wall now) {
    int64_t slot = now.ms / FLIGHT_MS;
    if (slot != c->flight_slot) {
        c->flying_before = slot == c->flight_slot + 1 ? c->flying : 0;
        c->flying = 0;
        c->flight_slot = slot;
    }
    return c->flying + c->flying_before;
}

// The account's and the address's counters, NULL where a try that is under way doesn't count.
static void flights(struct lockout *l, const struct names *names, bool trusted, struct lockout_counter *to[2]) {
    for (int k = LOCKOUT_ACCOUNT; k <= LOCKOUT_ADDRESS; k++) {
        bool counts = names->of[k].n && bound_of(l, (enum lockout_kind)k) && !(k == LOCKOUT_ADDRESS && trusted);
        to[k] = counts ? bounded_get(&l->counters[k], names->of[k]) : NULL;
    }
}

static void take_off(struct lockout *l, const struct names *names, bool trusted, struct wall now,
                     struct lockout_answer *answer) {
    struct lockout_counter *c[2];
    flights(l, names, trusted, c);
    for (int k = LOCKOUT_ACCOUNT; k <= LOCKOUT_ADDRESS && !answer->locked; k++)
        if (c[k] && failures(l, c[k], now) + under_way(c[k], now) >= bound_of(l, (enum lockout_kind)k))
            *answer = (struct lockout_answer){
                .locked = true, .crowded = true, .by = (enum lockout_kind)k, .delay_ms = l->config->delay_most};
    for (int k = LOCKOUT_ACCOUNT; k <= LOCKOUT_ADDRESS && !answer->locked; k++)
        if (c[k])
            c[k]->flying++;
}

static void land(struct lockout *l, const struct names *names, bool ok, struct wall now) {
    for (int k = LOCKOUT_ACCOUNT; k <= LOCKOUT_ADDRESS; k++) {
        struct lockout_counter *c = find(l, (enum lockout_kind)k, names->of[k]);
        if (!c || !under_way(c, now))
            continue;
        uint32_t *from = c->flying_before ? &c->flying_before : &c->flying;
        --*from;
        if (ok && k == LOCKOUT_ADDRESS)
            c->flying = c->flying_before = 0;
    }
}

struct lockout_answer lockout_try(struct lockout *l, const struct netaddr *client, bool trusted, struct slice user,
                                  struct wall now) {
    struct names names;
    bool at_home = lockout_knows(l, client, user, now);
    names_begin(&names, client, user);
    struct lockout_answer answer = look(l, &names, at_home, trusted, now);
    if (!answer.locked && !at_home)
        take_off(l, &names, trusted, now, &answer);
    names_end(&names);
    return answer;
}

static void forgive(struct lockout *l, struct slice address) {
    struct lockout_counter *c = find(l, LOCKOUT_ADDRESS, address);
    if (c && (c->now || c->before)) {
        c->now = c->before = 0;
        bounded_changed(&l->counters[LOCKOUT_ADDRESS], &c->entry);
    }
}

size_t lockout_tried(struct lockout *l, const struct netaddr *client, bool trusted, struct slice user, bool ok,
                     struct wall now, struct lockout_lock began[LOCKOUT_KINDS]) {
    struct names names;
    size_t n = 0;
    names_begin(&names, client, user);
    bool at_home = lockout_knows(l, client, user, now);
    if (!at_home)
        land(l, &names, ok, now);
    if (ok) {
        learn(l, client, user, now);
        forgive(l, names.of[LOCKOUT_ADDRESS]);
    }
    for (int k = 0; !ok && k < LOCKOUT_KINDS; k++) {
        struct lockout_counter *c = find(l, (enum lockout_kind)k, names.of[k]);
        bool skip = !names.of[k].n || (k == LOCKOUT_ACCOUNT && at_home) || (c && is_locked(l, c, now));
        if (skip)
            continue;
        c = bounded_get(&l->counters[k], names.of[k]);
        if (count(l, c, k != LOCKOUT_ACCOUNT && trusted ? 0 : bound_of(l, (enum lockout_kind)k), now))
            began[n++] = (struct lockout_lock){(enum lockout_kind)k, c->entry.key, c->led, c->until};
    }
    names_end(&names);
    return n;
}

// --- for people

// An address means its /64 where it is IPv6.
static struct slice named(struct slice what, struct buf *b) {
    struct netaddr a = {0};
    if (!netaddr_parse_ip(what, &a))
        return what;
    struct netaddr_net net = address_of(&a);
    add_net(b, &net);
    return buf_slice(b);
}

static void list_kind(const struct lockout *l, enum lockout_kind k, bool locked, struct slice what, struct wall now,
                      void (*each)(void *arg, const struct lockout_line *line), void *arg) {
    const struct lockout_counter *c;
    for (size_t at = 0; (c = map_next(&l->counters[k].map, &at));) {
        if (!stands(l, c, now) || is_locked(l, c, now) != locked || (what.n && !slice_eq(what, c->entry.key)))
            continue;
        struct lockout_line line = {.kind = k,
                                    .what = c->entry.key,
                                    .locked = locked,
                                    .failures = locked ? c->led : failures(l, c, now),
                                    .until = {locked ? c->until.ms : 0}};
        each(arg, &line);
    }
}

void lockout_list(const struct lockout *l, struct slice what, struct wall now,
                  void (*each)(void *arg, const struct lockout_line *line), void *arg) {
    BUF_AUTO struct buf name = {.max = 64};
    struct slice only = named(what, &name);
    for (int k = 0; k < 2 * LOCKOUT_KINDS; k++)
        list_kind(l, (enum lockout_kind)(k % LOCKOUT_KINDS), k < LOCKOUT_KINDS, only, now, each, arg);
}

uint32_t lockout_clear(struct lockout *l, struct slice what, struct wall now) {
    BUF_AUTO struct buf name = {.max = 64};
    struct slice only = named(what, &name);
    uint32_t n = 0;
    for (int k = 0; k < LOCKOUT_KINDS; k++) {
        struct lockout_counter *c;
        for (size_t at = 0; (c = map_next(&l->counters[k].map, &at));) {
            if (only.n && !slice_eq(only, c->entry.key))
                continue;
            n += stands(l, c, now);
            bounded_remove(&l->counters[k], &c->entry);
        }
    }
    return n;
}

uint32_t lockout_locked(const struct lockout *l, struct wall now) {
    uint32_t n = 0;
    for (int k = 0; k < LOCKOUT_KINDS; k++) {
        const struct lockout_counter *c;
        for (size_t at = 0; (c = map_next(&l->counters[k].map, &at));)
            n += is_locked(l, c, now);
    }
    return n;
}

void lockout_sweep(struct lockout *l, struct wall now) {
    for (int k = 0; k < LOCKOUT_KINDS; k++)
        for (int i = 0; i < SWEEP_MOST; i++) {
            struct lockout_counter *c = (struct lockout_counter *)(void *)bounded_oldest(&l->counters[k]);
            if (!c || stands(l, c, now) || remembers(l, c, now))
                break;
            bounded_remove(&l->counters[k], &c->entry);
        }
}
