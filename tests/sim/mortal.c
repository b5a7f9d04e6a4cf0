// mortal: a transport that asks a flag first.
#include "mortal.h"

#include "base/mem.h"

#include <stdlib.h>

struct mortal {
    struct transport base;
    struct transport *inner;
    const bool *dead;
};

static struct mortal *mortal_of(struct transport *t) { return LIST_ENTRY(t, struct mortal, base); }

static enum transport_got mortal_read(struct transport *t, char *to, size_t n, size_t *got, struct err *e) {
    struct mortal *m = mortal_of(t);
    return *m->dead ? TRANSPORT_END : m->inner->ops->read(m->inner, to, n, got, e);
}

static enum transport_got mortal_write(struct transport *t, struct slice bytes, size_t *put, struct err *e) {
    struct mortal *m = mortal_of(t);
    if (!*m->dead)
        return m->inner->ops->write(m->inner, bytes, put, e);
    err_set(e, ERR_CANCELLED, "this process was killed");
    return TRANSPORT_FAILED;
}

static bool mortal_wait_read(struct transport *t, struct mono deadline, struct err *e) {
    struct mortal *m = mortal_of(t);
    return m->inner->ops->wait_read(m->inner, deadline, e);
}

static bool mortal_wait_write(struct transport *t, struct mono deadline, struct err *e) {
    struct mortal *m = mortal_of(t);
    return m->inner->ops->wait_write(m->inner, deadline, e);
}

static void mortal_notify(struct transport *t, struct loop *loop, struct loop_task *task) {
    struct mortal *m = mortal_of(t);
    m->inner->ops->notify_write(m->inner, loop, task);
}

static void mortal_shutdown(struct transport *t) {
    struct mortal *m = mortal_of(t);
    m->inner->ops->shutdown(m->inner);
}

static void mortal_close(struct transport *t) {
    struct mortal *m = mortal_of(t);
    m->inner->ops->close(m->inner);
    free(m);
}

static const struct transport_ops mortal_ops = {
    .read = mortal_read,
    .write = mortal_write,
    .wait_read = mortal_wait_read,
    .wait_write = mortal_wait_write,
    .notify_write = mortal_notify,
    .shutdown = mortal_shutdown,
    .close = mortal_close,
};

struct transport *mortal_new(struct transport *inner, const bool *dead) {
    struct mortal *m = MEM_NEW(struct mortal);
    *m = (struct mortal){{&mortal_ops}, inner, dead};
    return &m->base;
}
