// standing: points, what they lead to, and what good mail earns.
#include "core/policy/standing_inside.h"

#include "base/num.h"

#include <assert.h>
#include <stdio.h>

enum { SWEEP_MOST = 1000, DID_MOST = 60000, BLOCKED_MS = MS_DAY, NOTED_MS = 10 * MS_MINUTE };

static const uint32_t weights[MESSAGE_SEEN_WHATS] = {
    [MESSAGE_SEEN_REFUSED] = 3, [MESSAGE_SEEN_EARLY] = 3, [MESSAGE_SEEN_UNKNOWN] = 1,
    [MESSAGE_SEEN_RELAY] = 5,   [MESSAGE_SEEN_ERROR] = 1,
};

const char *standing_kind_name(enum standing_kind k) {
    static const char *const names[] = {"address", "network", "domain"};
    assert(k < STANDING_KINDS);
    return names[k];
}

void standing_init(struct standing *s, const struct config_shutout *c, const struct hash_key *key) {
    *s = (struct standing){.config = c};
    for (int k = 0; k < STANDING_KINDS; k++)
        bounded_init(&s->by[k], sizeof(struct standing_entry), STANDING_ENTRIES, key);
    bounded_init(&s->marks, sizeof(struct standing_marked), STANDING_MARKS, key);
}

void standing_done(struct standing *s) {
    for (int k = 0; k < STANDING_KINDS; k++)
        bounded_done(&s->by[k]);
    bounded_done(&s->marks);
}

// --- what an entry stands for

static uint32_t points(const struct standing *s, const struct standing_entry *e, struct wall now) {
    return sliding_sum(&e->points, s->config->window, now);
}

static bool has_earned(const struct standing_entry *e, struct wall now) {
    return e->good >= STANDING_GOOD && e->last.ms - e->first.ms >= (int64_t)STANDING_HOURS * MS_HOUR &&
           now.ms - e->last.ms < (int64_t)STANDING_DAYS * MS_DAY;
}

bool standing_is_known(const struct standing *s, const struct standing_entry *e, struct wall now) {
    return has_earned(e, now) && (!s->config->points || points(s, e, now) < (s->config->points + 3) / 4);
}

bool standing_is_shut(const struct standing *s, const struct standing_entry *e, struct wall now) {
    return s->config->points && e->until.ms > now.ms && e->until.ms - now.ms <= s->config->time_most;
}

// What shuts out: more for who has earned it, lest a few bad messages among many good ones cost a large sender its way
// in.
static uint32_t bound_of(const struct standing *s, const struct standing_entry *e, struct wall now) {
    uint64_t n = s->config->points;
    return (uint32_t)num_min(has_earned(e, now) ? n * STANDING_KNOWN_FACTOR : n, UINT32_MAX);
}

// A shut-out that is long over is forgiven.
static bool remembers(const struct standing *s, const struct standing_entry *e, struct wall now) {
    return e->shuts && now.ms - e->until.ms < s->config->time_most + s->config->window;
}

static bool stands(const struct standing *s, const struct standing_entry *e, struct wall now) {
    return standing_is_shut(s, e, now) || remembers(s, e, now) || points(s, e, now) ||
           sliding_sum(&e->unknown, s->config->window, now) ||
           (e->good && now.ms - e->last.ms < (int64_t)STANDING_DAYS * MS_DAY);
}

void standing_why(const struct standing_entry *e, char to[STANDING_WHY]) {
    static const char *const words[MESSAGE_SEEN_WHATS] = {[MESSAGE_SEEN_REFUSED] = "refused by policy",
                                                          [MESSAGE_SEEN_EARLY] = "talked early",
                                                          [MESSAGE_SEEN_UNKNOWN] = "unknown recipients",
                                                          [MESSAGE_SEEN_RELAY] = "tried to relay",
                                                          [MESSAGE_SEEN_ERROR] = "errors"};
    struct buf b = {.p = to, .cap = STANDING_WHY, .max = STANDING_WHY - 1};
    for (int i = 0; i < MESSAGE_SEEN_WHATS; i++)
        if (words[i] && e->did[i])
            buf_addf(&b, "%s%s: %u", b.n ? ", " : "", words[i], e->did[i]);
    to[b.n] = 0;
}

// --- clients

static int64_t tarpit(const struct standing *s, const struct standing_entry *e, struct wall now) {
    int64_t first = s->config->tarpit_first, most = s->config->tarpit_most;
    int64_t bound = bound_of(s, e, now), half = (bound + 1) / 2, n = points(s, e, now);
    if (!bound || n < half)
        return 0;
    return n >= bound || bound == half ? most : first + (most - first) * (n - half) / (bound - half);
}

struct standing_client standing_of_client(const struct standing *s, const struct netaddr *client, struct wall now) {
    struct standing_client answer = {.known = false};
    char name[CLIENT_NAME];
    enum standing_mark mark = standing_mark_of_client(s, client);
    const struct standing_entry *e = bounded_find(&s->by[STANDING_ADDRESS], client_name_address(client, name));
    if (mark == STANDING_BLOCKED)
        return (struct standing_client){.shut_out = true, .blocked = true, .until_ms = BLOCKED_MS};
    if (mark == STANDING_ALLOWED)
        return (struct standing_client){.known = true};
    if (!e)
        return answer;
    answer.shut_out = standing_is_shut(s, e, now);
    answer.until_ms = answer.shut_out ? e->until.ms - now.ms : 0;
    answer.known = !answer.shut_out && standing_is_known(s, e, now);
    answer.tarpit_ms = tarpit(s, e, now);
    return answer;
}

bool standing_knows_domain(const struct standing *s, struct slice domain, struct wall now) {
    struct slice name = slice_upto(domain, STANDING_DOMAIN_MAX);
    const struct standing_entry *e = name.n ? bounded_find(&s->by[STANDING_DOMAIN], name) : NULL;
    return name.n && (standing_mark_of(s, name) == STANDING_ALLOWED || (e && standing_is_known(s, e, now)));
}

// --- what they do

static void earn(const struct standing *s, struct standing_entry *e, struct wall now) {
    bool anew = !e->good || e->first.ms > now.ms || now.ms - e->last.ms >= (int64_t)STANDING_DAYS * MS_DAY;
    if (anew) {
        e->first = now;
        e->good = 0;
    }
    e->last = now;
    e->good += e->good < UINT32_MAX;
    sliding_take(&e->points, s->config->window, STANDING_FORGIVES, now);
    sliding_add(&e->fine, s->config->window, 1, now);
}

// Good mail of who is known and has no points is noted now and then only: a busy sender costs no writes.
static void do_good(struct standing *s, enum standing_kind kind, struct slice name, struct wall now) {
    struct standing_entry *e = bounded_find(&s->by[kind], name);
    bool news = !e || e->good < 2 * STANDING_GOOD || points(s, e, now) || now.ms - e->noted.ms >= NOTED_MS ||
                e->noted.ms > now.ms;
    if (news) {
        e = bounded_get(&s->by[kind], name);
        e->noted = now;
    }
    bounded_touch(&s->by[kind], &e->entry);
    earn(s, e, now);
}

static int64_t shut_time(const struct standing *s, uint32_t shuts) {
    int64_t ms = s->config->time_first;
    while (shuts-- > 0 && ms < s->config->time_most)
        ms *= 2;
    return ms < s->config->time_most ? ms : s->config->time_most;
}

static void shut_out(const struct standing *s, struct standing_entry *e, uint32_t n, struct wall now,
                     struct standing_news *news) {
    if (!remembers(s, e, now))
        e->shuts = 0;
    e->until = wall_add_ms(now, shut_time(s, e->shuts));
    e->shuts += e->shuts < 1000;
    e->led = n;
    e->good = 0; // it has to earn it again
    e->points = (struct sliding){.start = now};
    news->shut_out = true;
    news->what = e->entry.key;
    news->points = n;
    news->until = e->until;
    standing_why(e, news->why);
}

static void misbehave(const struct standing *s, struct standing_entry *e, enum message_seen_what what,
                      struct wall now) {
    if (!points(s, e, now) && !standing_is_shut(s, e, now))
        memset(e->did, 0, sizeof e->did);
    e->did[what] = (uint16_t)(e->did[what] + (e->did[what] < DID_MOST));
    sliding_add(&e->points, s->config->window, weights[what], now);
    if (what == MESSAGE_SEEN_UNKNOWN)
        sliding_add(&e->unknown, s->config->window, 1, now);
}

static bool was_told(const struct standing *s, const struct standing_entry *e, struct wall now) {
    return e->probed.ms && now.ms - e->probed.ms < s->config->window && e->probed.ms <= now.ms;
}

static void look_for_probing(const struct standing *s, struct standing_entry *e, enum standing_kind kind,
                             struct wall now, struct standing_news *news) {
    uint32_t n = sliding_sum(&e->unknown, s->config->window, now);
    if (news->probing || was_told(s, e, now) || n < STANDING_PROBES ||
        n <= sliding_sum(&e->fine, s->config->window, now))
        return;
    e->probed = now;
    news->probing = true;
    news->prober_kind = kind;
    news->prober = e->entry.key;
    news->unknown = n;
}

static void see(struct standing *s, enum standing_kind kind, struct slice name, enum message_seen_what what,
                struct wall now, struct standing_news *news) {
    if (!name.n)
        return;
    if (what == MESSAGE_SEEN_GOOD) {
        do_good(s, kind, name, now);
        return;
    }
    struct standing_entry *e = bounded_get(&s->by[kind], name);
    uint32_t bound = bound_of(s, e, now); // what it was before this
    misbehave(s, e, what, now);
    if (kind == STANDING_ADDRESS && bound && !standing_is_shut(s, e, now) && points(s, e, now) >= bound)
        shut_out(s, e, points(s, e, now), now, news);
    if (kind == STANDING_ADDRESS && what == MESSAGE_SEEN_UNKNOWN)
        look_for_probing(s, e, kind, now, news);
}

// One host that was told of is no network that shares the work.
static void see_network(struct standing *s, struct slice name, const struct standing_entry *host,
                        enum message_seen_what what, struct wall now, struct standing_news *news) {
    see(s, STANDING_NETWORK, name, what, now, news);
    if (what == MESSAGE_SEEN_UNKNOWN && name.n && host && !was_told(s, host, now))
        look_for_probing(s, bounded_find(&s->by[STANDING_NETWORK], name), STANDING_NETWORK, now, news);
}

void standing_seen(struct standing *s, enum message_seen_what what, const struct netaddr *client, struct slice domain,
                   struct wall now, struct standing_news *news) {
    char address[CLIENT_NAME], network[CLIENT_NAME];
    *news = (struct standing_news){.shut_out = false};
    if (what == MESSAGE_SEEN_WROTE)
        return;
    struct slice host = client_name_address(client, address), net = client_name_network(client, network);
    see(s, STANDING_ADDRESS, host, what, now, news);
    if (what == MESSAGE_SEEN_UNKNOWN || (what == MESSAGE_SEEN_GOOD && bounded_find(&s->by[STANDING_NETWORK], net)))
        see_network(s, net, bounded_find(&s->by[STANDING_ADDRESS], host), what, now, news);
    see(s, STANDING_DOMAIN, slice_upto(domain, STANDING_DOMAIN_MAX), what, now, news);
}

// --- in all

uint32_t standing_shut_out(const struct standing *s, struct wall now) {
    const struct standing_entry *e;
    uint32_t n = 0;
    for (size_t at = 0; (e = map_next(&s->by[STANDING_ADDRESS].map, &at));)
        n += standing_is_shut(s, e, now);
    return n;
}

void standing_sweep(struct standing *s, struct wall now) {
    for (int k = 0; k < STANDING_KINDS; k++)
        for (int i = 0; i < SWEEP_MOST; i++) {
            struct bounded_entry *e = bounded_oldest(&s->by[k]);
            if (!e || stands(s, standing_entry_of(e), now))
                break;
            bounded_remove(&s->by[k], e);
        }
}
