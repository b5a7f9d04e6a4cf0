// peer: holds on links, their readers, and calls that survive a restart of the other side.
#include "svc/peer.h"

#include "base/mem.h"

#include <stdlib.h>

struct peer_link *peer_hold(struct peer_link *l) {
    l->holds++;
    return l;
}

void peer_drop(struct peer_link *l) {
    if (!l || --l->holds)
        return;
    link_free(l->link);
    free(l);
}

static void read_link(void *arg) {
    struct peer_link *l = arg;
    struct peer *p = l->peer;
    struct link_frame frame;
    struct err e;
    while (link_receive(l->link, MONO_NEVER, &e))
        while (link_next(l->link, &frame))
            if (!link_take_reply(l->link, &frame))
                p->handle(p->service, l, &frame);
    link_break(l->link, "its reader ended");
    if (p->now == l)
        p->now = NULL;
    peer_drop(l);
}

bool peer_is_up(const struct peer *p) { return p->now && link_is_up(p->now->link); }

void peer_attach(struct peer *p, struct link *link) {
    struct err e;
    struct peer_link *l = MEM_NEW(struct peer_link);
    *l = (struct peer_link){.link = link, .peer = p, .holds = 1};
    if (!fiber_spawn(p->group, "link", read_link, l, &e)) {
        peer_drop(l);
        return;
    }
    p->now = l;
    fiber_cond_wake_all(&p->changed);
}

static FIBER_FN bool wait_for_link(struct peer *p, struct mono deadline, struct err *e) {
    while (!peer_is_up(p))
        switch (fiber_cond_wait(&p->changed, deadline)) {
        case FIBER_WOKEN:
            break;
        case FIBER_TIMEOUT:
            return err_set(e, ERR_TEMPORARY, "the process to ask is not there");
        case FIBER_CANCELLED:
            return err_set(e, ERR_CANCELLED, "stopped");
        }
    return true;
}

struct peer_link *peer_wait(struct peer *p, struct mono deadline, struct err *e) {
    return wait_for_link(p, deadline, e) ? peer_hold(p->now) : NULL;
}

bool peer_call(struct peer *p, enum link_type type, struct slice payload, struct mono deadline,
               enum link_type *reply_type, struct buf *reply, struct err *e) {
    while (wait_for_link(p, deadline, e)) {
        struct peer_link *l = peer_hold(p->now);
        bool answered = link_call(l->link, type, &payload, 1, deadline, reply_type, reply, e);
        bool broken = !link_is_up(l->link);
        peer_drop(l);
        if (answered)
            return true;
        if (!broken || e->kind != ERR_TEMPORARY)
            return false;
        fiber_yield(); // the reader of the broken link has to end before the next can come
    }
    return false;
}
