// sim_net: two halves a connection; what one writes reaches the other in pieces, later.
#include "rt/sim/sim_net.h"

#include "base/list.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

enum {
    WINDOW = 64 * 1024,    // bytes under way or unread, each direction
    SEGMENT_MAX = 8 * 1024,
    SLOW_MS = 400,         // between the segments of a slow connection
    SLOW_SEGMENT = 40,
};

struct sim_net {
    struct loop *loop;
    struct seed *seed;
    struct sim_net_faults faults;
    struct list listeners;
    uint64_t cuts;
};

struct port {
    struct net base;
    struct sim_net *net;
    struct netaddr ip;
    struct list halves, listeners;
    bool dead;
};

struct segment {
    struct list entry;
    struct mono at;
    size_t n;
    bool end; // the sender has closed
    char bytes[];
};

struct half {
    struct transport base;
    struct port *port;
    struct list in_port;
    struct half *peer; // NULL once it is gone
    struct list coming;
    struct mono last;  // when the latest segment comes
    size_t held;       // bytes coming and unread
    struct buf unread;
    bool ended, broken;
    bool slow;
    int64_t latency_ms;
    uint64_t lives; // bytes until a fault cuts the connection
    struct loop_timer arrival;
    struct fiber *reader, *writer;
    struct loop *notify_loop;
    struct loop_task *notify;
};

struct sim_listener {
    struct listener base;
    struct port *port;
    struct list in_net, in_port;
    uint16_t number;
    struct list waiting; // halves, by in_wait
    struct fiber_cond arrived;
};

struct waiting {
    struct list entry;
    struct half *half;
    struct netaddr from;
};

static struct half *half_of(struct transport *t) { return LIST_ENTRY(t, struct half, base); }
static struct port *port_of(struct net *n) { return LIST_ENTRY(n, struct port, base); }
static struct sim_listener *listener_of(struct listener *l) { return LIST_ENTRY(l, struct sim_listener, base); }

static void tell(struct half *h) {
    if (h->reader)
        fiber_wake(h->reader);
    if (h->writer)
        fiber_wake(h->writer);
    if (h->notify)
        loop_task_set(h->notify_loop, h->notify);
    h->notify = NULL;
}

// --- segments under way

static void break_half(struct half *h) {
    h->broken = true;
    tell(h);
}

static void arrive(struct loop_timer *t) {
    struct half *h = LIST_ENTRY(t, struct half, arrival);
    struct loop *loop = h->port->net->loop;
    while (!list_empty(&h->coming)) {
        struct segment *s = LIST_ENTRY(h->coming.next, struct segment, entry);
        if (mono_before(loop_now(loop), s->at)) {
            loop_timer_set(loop, t, s->at);
            break;
        }
        list_remove(&s->entry);
        h->ended = h->ended || s->end;
        buf_add(&h->unread, slice_of(s->bytes, s->n));
        free(s);
    }
    if (h->reader)
        fiber_wake(h->reader);
}

static void send_segment(struct half *to, struct slice bytes, bool end) {
    struct sim_net *net = to->port->net;
    struct segment *s = mem_new(1, sizeof *s + bytes.n);
    int64_t delay = to->latency_ms + (to->slow ? SLOW_MS : 0);
    struct mono at = loop_in_ms(net->loop, delay);
    if (mono_before(at, to->last))
        at = to->last;
    if (to->slow)
        at = mono_add_ms(at, SLOW_MS);
    to->last = at;
    s->at = at;
    s->end = end;
    s->n = bytes.n;
    if (bytes.n)
        memcpy(s->bytes, bytes.p, bytes.n);
    list_append(&to->coming, &s->entry);
    to->held += bytes.n;
    if (!heap_has(&to->arrival.entry))
        loop_timer_set(net->loop, &to->arrival, at);
}

static void cut(struct half *h) {
    h->port->net->cuts++;
    if (h->peer)
        break_half(h->peer);
    break_half(h);
}

// --- the transport

static bool usable(const struct half *h, struct err *e) {
    return (!h->broken && !h->port->dead) || err_sys(e, ECONNRESET, "the connection broke");
}

static enum transport_got half_read(struct transport *t, char *to, size_t n, size_t *got, struct err *e) {
    struct half *h = half_of(t);
    if (!usable(h, e))
        return TRANSPORT_FAILED;
    if (h->unread.n == 0)
        return h->ended ? TRANSPORT_END : TRANSPORT_AGAIN;
    *got = n < h->unread.n ? n : h->unread.n;
    memcpy(to, h->unread.p, *got);
    buf_drop(&h->unread, *got);
    h->held -= *got;
    if (h->peer)
        tell(h->peer);
    return TRANSPORT_SOME;
}

static enum transport_got half_write(struct transport *t, struct slice bytes, size_t *put, struct err *e) {
    struct half *h = half_of(t), *to = h->peer;
    if (!usable(h, e))
        return TRANSPORT_FAILED;
    if (!to) {
        err_sys(e, EPIPE, "writing to the peer");
        return TRANSPORT_FAILED;
    }
    if (to->held >= WINDOW)
        return TRANSPORT_AGAIN;
    size_t most = to->slow ? SLOW_SEGMENT : SEGMENT_MAX;
    size_t n = 1 + (size_t)seed_below(h->port->net->seed, most);
    n = n < bytes.n ? n : bytes.n;
    if (n >= h->lives) {
        cut(h); // these bytes are lost on the way, and the sender does not know
        *put = n;
        return TRANSPORT_SOME;
    }
    h->lives -= n;
    send_segment(to, slice_upto(bytes, n), false);
    *put = n;
    return TRANSPORT_SOME;
}

static bool half_wait_read(struct transport *t, struct mono deadline, struct err *e) {
    struct half *h = half_of(t);
    while (h->unread.n == 0 && !h->ended && !h->broken && !h->port->dead) {
        h->reader = fiber_self();
        bool woken = fiber_park_err(deadline, "waiting for input", e);
        h->reader = NULL;
        if (!woken)
            return false;
    }
    return true;
}

static bool half_wait_write(struct transport *t, struct mono deadline, struct err *e) {
    struct half *h = half_of(t);
    while (h->peer && h->peer->held >= WINDOW && !h->broken && !h->port->dead) {
        h->writer = fiber_self();
        bool woken = fiber_park_err(deadline, "waiting to write", e);
        h->writer = NULL;
        if (!woken)
            return false;
    }
    return true;
}

static void half_notify_write(struct transport *t, struct loop *loop, struct loop_task *task) {
    struct half *h = half_of(t);
    h->notify_loop = loop;
    h->notify = task;
}

static void half_shutdown(struct transport *t) {
    struct half *h = half_of(t);
    if (h->peer && !h->broken)
        send_segment(h->peer, SLICE_EMPTY, true);
    h->ended = true;
    h->unread.n = 0;
    tell(h);
}

static void half_close(struct transport *t) {
    struct half *h = half_of(t);
    if (h->peer) {
        if (h->broken || h->port->dead)
            break_half(h->peer);
        else
            send_segment(h->peer, SLICE_EMPTY, true);
        h->peer->peer = NULL;
        tell(h->peer);
    }
    for (struct list *at = list_shift(&h->coming); at; at = list_shift(&h->coming))
        free(LIST_ENTRY(at, struct segment, entry));
    loop_timer_stop(h->port->net->loop, &h->arrival);
    list_remove(&h->in_port);
    buf_done(&h->unread);
    free(h);
}

static const struct transport_ops half_ops = {
    .read = half_read,
    .write = half_write,
    .wait_read = half_wait_read,
    .wait_write = half_wait_write,
    .notify_write = half_notify_write,
    .shutdown = half_shutdown,
    .close = half_close,
};

static struct half *new_half(struct port *port, int64_t latency_ms, bool slow) {
    struct half *h = MEM_NEW(struct half);
    *h = (struct half){.base = {&half_ops},
                       .port = port,
                       .latency_ms = latency_ms,
                       .slow = slow,
                       .lives = UINT64_MAX,
                       .unread = {.max = 2 * WINDOW}};
    h->arrival.fire = arrive;
    list_init(&h->coming);
    list_append(&port->halves, &h->in_port);
    return h;
}

// --- connecting and accepting

static struct sim_listener *find_listener(struct sim_net *n, const struct netaddr *to) {
    LIST_EACH(at, &n->listeners) {
        struct sim_listener *l = LIST_ENTRY(at, struct sim_listener, in_net);
        if (l->number == to->port && netaddr_same_ip(&l->port->ip, to) && !l->port->dead)
            return l;
    }
    return NULL;
}

static void join(struct sim_net *n, struct port *from, struct sim_listener *l, struct half **client) {
    int64_t latency = (int64_t)seed_below(n->seed, (uint64_t)n->faults.latency_ms_max + 1);
    bool slow = seed_chance(n->seed, n->faults.slow_per_mille);
    struct half *a = new_half(from, latency, slow), *b = new_half(l->port, latency, slow);
    struct waiting *w = MEM_NEW(struct waiting);
    a->peer = b;
    b->peer = a;
    if (seed_chance(n->seed, n->faults.cut_per_mille)) // a session has a few hundred bytes before content
        (seed_chance(n->seed, 500) ? a : b)->lives = 1 + seed_below(n->seed, 1500);
    *w = (struct waiting){.half = b, .from = from->ip};
    w->from.port = (uint16_t)(1024 + seed_below(n->seed, 60000));
    list_append(&l->waiting, &w->entry);
    fiber_cond_wake_all(&l->arrived);
    *client = a;
}

static bool sim_connect(struct net *base, const struct netaddr *to, struct mono deadline, struct transport **out,
                        struct netaddr *local, struct err *e) {
    struct port *port = port_of(base);
    struct sim_net *n = port->net;
    if (seed_chance(n->seed, n->faults.silent_per_mille)) {
        while (fiber_park_err(deadline, "connecting", e))
            ;
        return false;
    }
    if (!fiber_sleep(1 + (int64_t)seed_below(n->seed, (uint64_t)n->faults.latency_ms_max + 1)))
        return err_set(e, ERR_CANCELLED, "stopped connecting");
    struct sim_listener *l = find_listener(n, to);
    if (port->dead || !l || seed_chance(n->seed, n->faults.refuse_per_mille))
        return err_sys(e, ECONNREFUSED, "connecting");
    struct half *client;
    join(n, port, l, &client);
    if (local)
        *local = port->ip;
    *out = &client->base;
    return true;
}

static const struct net_ops port_ops = {sim_connect};

static bool sim_accept(struct listener *base, struct mono deadline, struct transport **out, struct netaddr *peer,
                       struct err *e) {
    struct sim_listener *l = listener_of(base);
    while (list_empty(&l->waiting))
        switch (fiber_cond_wait(&l->arrived, deadline)) {
        case FIBER_WOKEN:
            break;
        case FIBER_TIMEOUT:
            return err_set(e, ERR_TIMEOUT, "timed out waiting for a connection");
        case FIBER_CANCELLED:
            return err_set(e, ERR_CANCELLED, "stopped waiting for a connection");
        }
    struct waiting *w = LIST_ENTRY(list_shift(&l->waiting), struct waiting, entry);
    *out = &w->half->base;
    *peer = w->from;
    free(w);
    return true;
}

static void sim_listener_close(struct listener *base) {
    struct sim_listener *l = listener_of(base);
    for (struct list *at = list_shift(&l->waiting); at; at = list_shift(&l->waiting)) {
        struct waiting *w = LIST_ENTRY(at, struct waiting, entry);
        half_close(&w->half->base);
        free(w);
    }
    list_remove(&l->in_net);
    list_remove(&l->in_port);
    free(l);
}

static const struct listener_ops listener_ops = {sim_accept, sim_listener_close};

// --- the network

struct sim_net *sim_net_new(struct loop *loop, struct seed *seed) {
    struct sim_net *n = MEM_NEW(struct sim_net);
    *n = (struct sim_net){.loop = loop, .seed = seed};
    list_init(&n->listeners);
    return n;
}

void sim_net_free(struct sim_net *n) { free(n); }
void sim_net_set_faults(struct sim_net *n, const struct sim_net_faults *faults) { n->faults = *faults; }
uint64_t sim_net_cuts(const struct sim_net *n) { return n->cuts; }

struct net *sim_net_port(struct sim_net *n, const struct netaddr *ip) {
    struct port *p = MEM_NEW(struct port);
    *p = (struct port){.base = {&port_ops}, .net = n, .ip = *ip};
    list_init(&p->halves);
    list_init(&p->listeners);
    return &p->base;
}

struct listener *sim_net_listen(struct net *base, uint16_t number) {
    struct port *p = port_of(base);
    struct sim_listener *l = MEM_NEW(struct sim_listener);
    *l = (struct sim_listener){.base = {&listener_ops}, .port = p, .number = number};
    list_init(&l->waiting);
    list_append(&p->net->listeners, &l->in_net);
    list_append(&p->listeners, &l->in_port);
    return &l->base;
}

void sim_net_kill(struct net *base) {
    struct port *p = port_of(base);
    p->dead = true;
    LIST_EACH(at, &p->halves) {
        struct half *h = LIST_ENTRY(at, struct half, in_port);
        if (h->peer)
            break_half(h->peer);
        break_half(h);
    }
}

void sim_net_port_free(struct net *base) { free(port_of(base)); }
