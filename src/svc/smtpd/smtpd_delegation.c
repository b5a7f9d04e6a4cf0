// smtpd_delegation: a stack of idle connections for each server.
#include "svc/smtpd/smtpd_delegation.h"

#include "base/arena.h"
#include "base/mem.h"
#include "wire/delegation.h"

#include <stdlib.h>

struct server {
    struct transport *idle[SMTPD_DELEGATION_KEPT];
    size_t n;
};

struct smtpd_delegation {
    const struct config *config;
    FIBER_FN bool (*open)(void *arg, size_t index, struct transport **out, struct err *e);
    void *arg;
    struct server *servers; // by index in config->gate.filters
};

struct smtpd_delegation *
smtpd_delegation_new(const struct config *c,
                     bool (*open)(void *arg, size_t index, struct transport **out, struct err *e), void *arg) {
    struct smtpd_delegation *d = MEM_NEW(struct smtpd_delegation);
    *d = (struct smtpd_delegation){.config = c, .open = open, .arg = arg};
    d->servers = mem_new(c->gate.filters_n + 1, sizeof *d->servers);
    return d;
}

void smtpd_delegation_free(struct smtpd_delegation *d) {
    if (!d)
        return;
    for (size_t i = 0; i < d->config->gate.filters_n; i++)
        for (size_t k = 0; k < d->servers[i].n; k++)
            d->servers[i].idle[k]->ops->close(d->servers[i].idle[k]);
    free(d->servers);
    free(d);
}

static void keep(struct server *s, struct transport *t) {
    if (s->n < SMTPD_DELEGATION_KEPT)
        s->idle[s->n++] = t;
    else
        t->ops->close(t);
}

static FIBER_FN bool read_more(struct transport *t, struct buf *in, struct mono deadline, struct err *e) {
    size_t got;
    char *to = buf_reserve(in, DELEGATION_ANSWER_MAX + 1 - in->n);
    if (!to)
        return err_set(e, ERR_TEMPORARY, "out of memory for an answer");
    if (!transport_read_some(t, to, DELEGATION_ANSWER_MAX + 1 - in->n, deadline, &got, e))
        return false;
    buf_commit(in, got);
    return true;
}

// An answer, and nothing behind it: else nobody knew what the next one belongs to.
static FIBER_FN bool read_answer(struct transport *t, struct buf *in, struct mono deadline, struct slice *action,
                                 struct err *e) {
    size_t used;
    for (;;)
        switch (delegation_take(buf_slice(in), action, &used)) {
        case DELEGATION_WHOLE:
            return used == in->n || err_set(e, ERR_TEMPORARY, "it says more than was asked");
        case DELEGATION_BAD:
            return err_set(e, ERR_TEMPORARY, "what it says is no answer of the delegation protocol");
        case DELEGATION_MORE:
            if (!read_more(t, in, deadline, e))
                return false;
        }
}

static FIBER_FN bool exchange(struct transport *t, const struct config_filter *f, struct slice request,
                              struct arena *arena, struct slice *answer, struct err *e) {
    struct mono deadline = loop_in_ms(fiber_loop(), f->reply);
    struct buf in BUF_AUTO = {.max = 2 * DELEGATION_ANSWER_MAX};
    struct slice action;
    if (!transport_write_all(t, request, deadline, e) || !read_answer(t, &in, deadline, &action, e))
        return false;
    struct slice kept = arena_dup(arena, action);
    if (!kept.p && action.n)
        return err_set(e, ERR_TEMPORARY, "out of memory for an answer");
    *answer = kept;
    return true;
}

// Over `t`, which is kept or closed.
static FIBER_FN bool ask_over(struct server *s, struct transport *t, const struct config_filter *f,
                              struct slice request, struct arena *arena, struct slice *answer, struct err *e) {
    if (exchange(t, f, request, arena, answer, e)) {
        keep(s, t);
        return true;
    }
    t->ops->close(t);
    return false;
}

bool smtpd_delegation_ask(struct smtpd_delegation *d, const struct config_filter *f, struct slice request,
                          struct arena *arena, struct slice *answer, struct err *e) {
    size_t index = (size_t)(f - d->config->gate.filters);
    struct server *s = &d->servers[index];
    struct transport *t;
    struct err stale;
    while (s->n) {
        t = s->idle[--s->n];
        if (ask_over(s, t, f, request, arena, answer, &stale))
            return true;
        if (stale.kind == ERR_TIMEOUT || stale.kind == ERR_CANCELLED) {
            *e = stale;
            return false;
        }
    }
    return d->open(d->arg, index, &t, e) && ask_over(s, t, f, request, arena, answer, e);
}
