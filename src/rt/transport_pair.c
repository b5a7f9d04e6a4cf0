// transport_pair: two ends of a pipe in memory.
#include "rt/transport.h"

#include "base/mem.h"

#include <stdlib.h>

struct half {
    struct transport base;
    struct half *peer;        // NULL once it has closed
    char *in;                 // ring of `capacity` bytes, made at the first write
    size_t capacity, from, n; // unread: n bytes from `from`
    bool ended;               // the peer has closed
    struct fiber *reader, *writer;
    struct loop *notify_loop;
    struct loop_task *notify;
};

static struct half *of(struct transport *t) { return LIST_ENTRY(t, struct half, base); }

static void wake(struct fiber *f) {
    if (f)
        fiber_wake(f);
}

static void tell_writer(struct half *h) {
    wake(h->writer);
    if (h->notify)
        loop_task_set(h->notify_loop, h->notify);
    h->notify = NULL;
}

static enum transport_got pair_read(struct transport *t, char *to, size_t n, size_t *got, struct err *e) {
    struct half *self = of(t);
    (void)e;
    if (self->n == 0)
        return self->ended ? TRANSPORT_END : TRANSPORT_AGAIN;
    size_t done = 0;
    while (done < n && self->n) {
        size_t run = self->capacity - self->from;
        run = run < self->n ? run : self->n;
        run = run < n - done ? run : n - done;
        memcpy(to + done, self->in + self->from, run);
        self->from = (self->from + run) % self->capacity;
        self->n -= run;
        done += run;
    }
    if (self->peer)
        tell_writer(self->peer);
    *got = done;
    return TRANSPORT_SOME;
}

static enum transport_got pair_write(struct transport *t, struct slice bytes, size_t *put, struct err *e) {
    struct half *to = of(t)->peer;
    if (!to) {
        err_sys(e, 32 /* EPIPE */, "writing to the peer");
        return TRANSPORT_FAILED;
    }
    if (to->n == to->capacity)
        return TRANSPORT_AGAIN;
    if (!to->in)
        to->in = mem_new(to->capacity, 1);
    size_t done = 0;
    while (done < bytes.n && to->n < to->capacity) {
        size_t at = (to->from + to->n) % to->capacity;
        size_t run = to->capacity - at;
        run = run < to->capacity - to->n ? run : to->capacity - to->n;
        run = run < bytes.n - done ? run : bytes.n - done;
        memcpy(to->in + at, bytes.p + done, run);
        to->n += run;
        done += run;
    }
    wake(to->reader);
    *put = done;
    return TRANSPORT_SOME;
}

static bool pair_wait_read(struct transport *t, struct mono deadline, struct err *e) {
    struct half *self = of(t);
    while (self->n == 0 && !self->ended) {
        self->reader = fiber_self();
        bool woken = fiber_park_err(deadline, "waiting for input", e);
        self->reader = NULL;
        if (!woken)
            return false;
    }
    return true;
}

static bool pair_wait_write(struct transport *t, struct mono deadline, struct err *e) {
    struct half *self = of(t);
    while (self->peer && self->peer->n == self->peer->capacity) {
        self->writer = fiber_self();
        bool woken = fiber_park_err(deadline, "waiting to write", e);
        self->writer = NULL;
        if (!woken)
            return false;
    }
    return true;
}

static void pair_notify_write(struct transport *t, struct loop *loop, struct loop_task *task) {
    struct half *self = of(t);
    self->notify_loop = loop;
    self->notify = task;
    if (task && (!self->peer || self->peer->n < self->peer->capacity))
        tell_writer(self);
}

// Each end learns that there is no other.
static void part(struct half *h) {
    struct half *other = h->peer;
    h->peer = NULL;
    h->ended = true;
    wake(h->reader);
    tell_writer(h);
    if (other && other->peer)
        part(other);
}

static void pair_shutdown(struct transport *t) { part(of(t)); }

static void pair_close(struct transport *t) {
    struct half *self = of(t);
    self->notify = NULL;
    part(self);
    free(self->in);
    free(self);
}

static const struct transport_ops pair_ops = {
    .read = pair_read,
    .write = pair_write,
    .wait_read = pair_wait_read,
    .wait_write = pair_wait_write,
    .notify_write = pair_notify_write,
    .shutdown = pair_shutdown,
    .close = pair_close,
};

void transport_pair(size_t capacity, struct transport **a, struct transport **b) {
    struct half *one = MEM_NEW(struct half), *two = MEM_NEW(struct half);
    *one = (struct half){.base = {&pair_ops}, .peer = two, .capacity = capacity};
    *two = (struct half){.base = {&pair_ops}, .peer = one, .capacity = capacity};
    *a = &one->base;
    *b = &two->base;
}
