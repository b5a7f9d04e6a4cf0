// master_control: what control may ask of master, for the command line.
#include "svc/master/master_inside.h"

#include "base/mem.h"
#include "rt/transport.h"

#include <stdlib.h>

enum { REPLY_MAX = 1024 * 1024 };

struct control_reader {
    struct master *master;
    struct link *link;
};

static void fill_process(struct master *m, const struct master_child *child, struct master_status_process *p) {
    *p = (struct master_status_process){.role = child->role,
                                        .instance = child->instance,
                                        .state = child->state,
                                        .pid = child->process.pid,
                                        .uptime_ms = mono_ms_between(child->started, loop_now(m->loop))};
}

// The slots in their order, then the processes that only finish what they hold.
static size_t list_processes(struct master *m, struct master_status_process *to) {
    size_t n = 0;
    for (size_t i = 0; i < m->slots.n; i++) {
        const struct master_slot *slot = &m->slots.slots[i];
        to[n] = (struct master_status_process){.role = slot->role, .instance = slot->instance};
        if (slot->child)
            fill_process(m, slot->child, &to[n]);
        to[n++].restarts = slot->restarts;
    }
    LIST_EACH(at, &m->children) {
        const struct master_child *child = LIST_ENTRY(at, struct master_child, entry);
        bool in_slot = false;
        for (size_t i = 0; i < m->slots.n; i++)
            in_slot |= m->slots.slots[i].child == child;
        if (!in_slot && n < MASTER_STATUS_PROCESSES_MAX)
            fill_process(m, child, &to[n++]);
    }
    return n;
}

static size_t list_listens(struct master *m, struct arena *arena, struct slice *to) {
    const struct config *c = m->site->config;
    size_t n = c->listens_n < MASTER_STATUS_LISTENS_MAX ? c->listens_n : MASTER_STATUS_LISTENS_MAX;
    for (size_t i = 0; i < n; i++) {
        BUF_AUTO struct buf b = {.max = 128};
        master_listen_text(&c->listens[i], &b);
        to[i] = arena_dup(arena, buf_slice(&b));
    }
    return n;
}

static void reply_status(struct master *m, struct link *link, uint64_t id) {
    ARENA_AUTO struct arena arena = {.max = REPLY_MAX};
    BUF_AUTO struct buf b = {.max = REPLY_MAX};
    struct master_status s = {.pid = process_self(),
                              .uptime_ms = mono_ms_between(m->started, loop_now(m->loop)),
                              .reloads = m->reloads,
                              .path = slice_str(m->site->path)};
    struct slice *listens = mem_new(MASTER_STATUS_LISTENS_MAX, sizeof *listens);
    s.processes = mem_new(MASTER_STATUS_PROCESSES_MAX, sizeof *s.processes);
    s.processes_n = list_processes(m, s.processes);
    s.listens = listens;
    s.listens_n = list_listens(m, &arena, listens);
    master_status_pack(&b, &s);
    link_send1(link, LINK_MASTER_REPLY, id, buf_slice(&b));
    free(listens);
    free(s.processes);
}

static void reply_answer(struct link *link, uint64_t id, bool ok, struct slice text) {
    BUF_AUTO struct buf b = {.max = REPLY_MAX};
    master_answer_pack(&b, &(struct master_answer){.ok = ok, .text = text});
    link_send1(link, LINK_MASTER_REPLY, id, buf_slice(&b));
}

// The answer waits until the configuration was read and either taken or refused, not until the old workers are gone.
static void reply_reload(struct master *m, struct link *link, uint64_t id) {
    m->reload = true;
    fiber_cond_wake_all(&m->wake);
    enum fiber_wake got = fiber_cond_wait(&m->reloaded, loop_in_ms(m->loop, 30 * MS_SECOND));
    if (got != FIBER_WOKEN)
        reply_answer(link, id, false, SLICE("the reload takes long; see the log"));
    else if (m->reload_mistakes.n)
        reply_answer(link, id, false, buf_slice(&m->reload_mistakes));
    else
        reply_answer(link, id, true, SLICE("the new configuration is in use"));
}

static void handle(struct master *m, struct link *link, const struct link_frame *f) {
    switch (f->type) {
    case LINK_MASTER_STATUS:
        reply_status(m, link, f->id);
        break;
    case LINK_MASTER_STOP:
        reply_answer(link, f->id, true, SLICE("stopping"));
        m->stopping = true;
        fiber_cond_wake_all(&m->wake);
        break;
    case LINK_MASTER_RELOAD:
        reply_reload(m, link, f->id);
        break;
    default:
        break; // METRICS: control asks MASTER_STATUS for ours
    }
}

static void read_control(void *arg) {
    struct control_reader *r = arg;
    struct link_frame frame;
    struct err e;
    while (link_receive(r->link, MONO_NEVER, &e))
        while (link_next(r->link, &frame))
            handle(r->master, r->link, &frame);
    link_free(r->link);
    free(r);
}

void master_attach_control(struct master *m, int fd) {
    struct err e;
    struct transport *t = transport_of_fd(m->loop, fd);
    if (!t) {
        process_close(fd);
        return;
    }
    struct control_reader *r = MEM_NEW(struct control_reader);
    *r = (struct control_reader){.master = m, .link = link_new(m->loop, t, ROLE_MASTER, ROLE_CONTROL)};
    if (fiber_spawn(&m->group, "control link", read_control, r, &e))
        return;
    link_free(r->link);
    free(r);
}
