// relay_hosts: asking DNS, host by host.
#include "svc/relay/relay_hosts.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { RESOLVE_DEADLINE_MS = 40 * MS_SECOND, REPLY_MAX = 256 * 1024 };

// One question, shared by the fiber that needs the answer and the one that asks: whoever leaves last frees it.
struct question {
    int holds;
    struct peer *resolver;
    struct mono deadline;
    uint16_t type;
    struct slice name; // owned
    bool asked;
    struct fiber_cond done;
    struct buf reply;
    struct err failure; // where no reply came
    bool replied;
};

static struct question *question_new(struct peer *resolver, struct slice name, uint16_t type) {
    struct question *q = MEM_NEW(struct question);
    char *copy = mem_new(name.n + 1, 1);
    if (name.n)
        memcpy(copy, name.p, name.n);
    *q = (struct question){.holds = 1, .resolver = resolver, .type = type, .name = slice_of(copy, name.n)};
    q->deadline = loop_in_ms(fiber_loop(), RESOLVE_DEADLINE_MS);
    q->reply.max = REPLY_MAX;
    return q;
}

static void question_drop(struct question *q) {
    if (--q->holds)
        return;
    buf_done(&q->reply);
    free((char *)q->name.p);
    free(q);
}

static FIBER_FN void ask(struct question *q) {
    BUF_AUTO struct buf payload = {.max = 4096};
    struct message_resolve m = {.type = q->type, .name = q->name};
    enum link_type type;
    if (!message_resolve_pack(&payload, &m))
        err_set(&q->failure, ERR_TEMPORARY, "the name is too long to ask for");
    else
        q->replied =
            peer_call(q->resolver, LINK_RESOLVE, buf_slice(&payload), q->deadline, &type, &q->reply, &q->failure);
    q->asked = true;
    fiber_cond_wake_all(&q->done);
}

static void ask_body(void *arg) {
    struct question *q = arg;
    ask(q);
    question_drop(q);
}

// The answer; what is no answer becomes a failed one. Views into the question's buffer. False only when cancelled.
static FIBER_FN bool wait_answer(struct question *q, struct arena *arena, struct message_resolve_reply *out,
                                 struct err *e) {
    while (!q->asked)
        if (fiber_cond_wait(&q->done, MONO_NEVER) == FIBER_CANCELLED) // its asker has a deadline
            return err_set(e, ERR_CANCELLED, "stopped");
    if (q->replied && message_resolve_reply_unpack(buf_slice(&q->reply), arena, out))
        return true;
    if (q->replied)
        err_set(&q->failure, ERR_TEMPORARY, "the resolver's answer can't be read");
    if (q->failure.kind == ERR_CANCELLED) {
        *e = q->failure;
        return false;
    }
    *out = (struct message_resolve_reply){.status = MESSAGE_DNS_FAILED, .why = slice_str(q->failure.text)};
    return true;
}

void relay_hosts_failed(struct relay_hosts *h, const struct err *e) {
    if (!h->failed || !err_is_permanent(e) || err_is_permanent(&h->why))
        h->why = *e;
    h->failed = true;
}

// --- which hosts

static FIBER_FN bool ask_mx(struct relay_hosts *h, struct err *e) {
    struct question *q = question_new(h->setup.resolver, h->domain, MESSAGE_DNS_MX);
    struct message_resolve_reply answer;
    ask(q);
    bool ok = wait_answer(q, h->setup.arena, &answer, e);
    if (ok) {
        h->secured = answer.security == MESSAGE_DNS_SECURE;
        h->answered = answer.status != MESSAGE_DNS_FAILED && answer.security != MESSAGE_DNS_BOGUS;
        ok = mx_order(h->domain, &answer, h->setup.config->hostname, h->setup.random, h->setup.arena, &h->list, e);
    }
    question_drop(q);
    h->secured |= ok && h->list.implicit; // the domain itself
    return ok;
}

// "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 4.1.3), or an address without brackets from the configuration.
static bool is_literal(struct slice host) { return host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']'; }

static bool literal_address(struct slice host, struct netaddr *out) {
    if (is_literal(host))
        host = slice_from(slice_upto(host, host.n - 1), 1);
    if (slice_istarts(host, SLICE("IPv6:")))
        host = slice_from(host, 5);
    return netaddr_parse_ip(host, out);
}

static bool is_ours(const struct config *c, const struct netaddr *a) {
    for (size_t i = 0; i < c->listens_n; i++) {
        const struct config_listen *l = &c->listens[i];
        if (l->role == CONFIG_LISTEN_MX && l->at.port == a->port && netaddr_same_ip(&l->at, a))
            return true;
    }
    return false;
}

static bool one_address(struct relay_hosts *h, const struct netaddr *at, struct err *e) {
    h->literal = *at;
    h->literal.port = h->port;
    h->addresses = &h->literal;
    h->n = 1;
    h->answered = true;
    if (h->mx && is_ours(h->setup.config, &h->literal))
        return err_smtp(e, 554, "5.4.6", "mail for %.*s loops back to this host", SLICE_ARG(h->domain));
    return true;
}

static bool one_name(struct relay_hosts *h, struct err *e) {
    struct mx_host *host = ARENA_NEW(h->setup.arena, struct mx_host);
    if (!host)
        return err_set(e, ERR_TEMPORARY, "out of memory");
    host->name = h->domain;
    h->list = (struct mx_list){.hosts = host, .n = 1};
    return true;
}

bool relay_hosts_start(struct relay_hosts *h, const struct relay_hosts_setup *setup, bool mx, struct slice host,
                       uint16_t port, struct err *e) {
    struct netaddr at;
    *h = (struct relay_hosts){.setup = *setup, .mx = mx, .domain = host, .port = port};
    h->secured = !mx;
    if (literal_address(host, &at))
        return one_address(h, &at, e);
    if (is_literal(host))
        return err_smtp(e, 550, "5.1.2", "%.*s is no address that can be reached", SLICE_ARG(host));
    return mx ? ask_mx(h, e) : one_name(h, e);
}

// --- which addresses

static FIBER_FN bool take_addresses(struct relay_hosts *h, size_t at, struct question *const pair[2], struct err *e) {
    struct relay_hosts_found *f = &h->found[at];
    struct slice name = h->list.hosts[at].name;
    struct message_resolve_reply v4, v6;
    if (!wait_answer(pair[0], h->setup.arena, &v4, e) || !wait_answer(pair[1], h->setup.arena, &v6, e))
        return false;
    f->n = mx_addresses(&v4, &v6, h->port, h->setup.random, f->addresses);
    h->answered |= f->n > 0;
    if (f->n > 0 || mx_no_address(name, h->list.implicit, &v4, &v6, &f->why))
        return true;
    // A relay host that the configuration names wrongly, or that DNS lost, must not make everything bounce.
    if (!h->mx && err_is_permanent(&f->why))
        err_smtp(&f->why, 451, "4.4.4", "the relay host %.*s has no address", SLICE_ARG(name));
    f->why.smtp = 0; // our own words
    return true;
}

// On a fiber of its own; where none can be had, on this one. False only when cancelled.
static FIBER_FN bool ask_beside(struct question *q, struct err *e) {
    q->holds++;
    if (fiber_spawn(q->resolver->group, "relay-ask", ask_body, q, e))
        return true;
    q->holds--;
    if (e->kind == ERR_CANCELLED)
        return false;
    ask(q);
    return true;
}

// Both kinds of all these hosts at once. False only when cancelled.
static FIBER_FN bool ask_addresses(struct relay_hosts *h, size_t from, size_t to, struct err *e) {
    struct question *asked[MX_HOSTS_MAX][2];
    size_t n = to - from;
    bool ok = true;
    assert(n > 0 && n <= MX_HOSTS_MAX);
    for (size_t i = 0; i < n; i++) {
        asked[i][0] = question_new(h->setup.resolver, h->list.hosts[from + i].name, MESSAGE_DNS_A);
        asked[i][1] = question_new(h->setup.resolver, h->list.hosts[from + i].name, MESSAGE_DNS_AAAA);
    }
    for (size_t i = 0; ok && i < n; i++)
        ok = ask_beside(asked[i][1], e) && (i == 0 || ask_beside(asked[i][0], e));
    if (ok)
        ask(asked[0][0]);
    for (size_t i = 0; ok && i < n; i++)
        ok = take_addresses(h, from + i, asked[i], e);
    for (size_t i = 0; i < n; i++) {
        question_drop(asked[i][0]);
        question_drop(asked[i][1]);
    }
    return ok;
}

static bool any_is_ours(const struct relay_hosts *h, size_t from, size_t to) {
    for (size_t at = from; at < to; at++)
        for (size_t i = 0; i < h->found[at].n; i++)
            if (is_ours(h->setup.config, &h->found[at].addresses[i]))
                return true;
    return false;
}

// The hosts of the next preference: whether we are one of them has to be known before any of them is tried.
static FIBER_FN bool find_group(struct relay_hosts *h, struct err *e) {
    size_t from = h->at, to = from + 1;
    while (to < h->list.n && h->list.hosts[to].preference == h->list.hosts[from].preference)
        to++;
    if (!h->found)
        h->found = arena_alloc(h->setup.arena, h->list.n * sizeof *h->found);
    if (!h->found)
        return err_set(e, ERR_TEMPORARY, "out of memory");
    if (!ask_addresses(h, from, to, e))
        return false;
    h->known = to;
    if (h->mx && any_is_ours(h, from, to)) {
        h->at++;
        relay_hosts_is_self(h);
    }
    return true;
}

void relay_hosts_is_self(struct relay_hosts *h) {
    struct err e;
    bool left = h->at && mx_cut(&h->list, h->at - 1, h->domain, &e);
    if (!h->at)
        err_smtp(&e, 554, "5.4.6", "mail for %.*s loops back to this host", SLICE_ARG(h->domain));
    e.smtp = 0; // our own words
    if (!left)
        relay_hosts_failed(h, &e);
    h->n = h->i = 0;
    h->at = h->list.n; // what is left was tried before this one
}

bool relay_hosts_next(struct relay_hosts *h, struct relay_host *out, struct err *e) {
    for (;;) {
        if (h->i < h->n) {
            *out = (struct relay_host){h->name, h->addresses[h->i++]};
            return true;
        }
        if (h->at < h->list.n && h->at == h->known && !find_group(h, e))
            return false;
        if (h->at >= h->list.n)
            return err_set(e, ERR_TEMPORARY, "no host is left to try");
        struct relay_hosts_found *f = &h->found[h->at];
        h->name = h->list.hosts[h->at++].name;
        h->addresses = f->addresses;
        h->n = f->n;
        h->i = 0;
        if (f->n == 0)
            relay_hosts_failed(h, &f->why);
    }
}
