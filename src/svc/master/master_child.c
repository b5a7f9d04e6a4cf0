// master_child: one process of a role from its spawn to its burial.
#include "svc/master/master_inside.h"

#include "base/mem.h"
#include "rt/handover.h"
#include "rt/transport.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

void master_make_slots(const struct config *c, struct master_slots *out) {
    size_t n = 0;
    for (size_t i = 0; i < TOPOLOGY_ROLES; i++)
        n += topology_instances(c, topology_order[i]);
    *out = (struct master_slots){.slots = mem_new(n, sizeof *out->slots)};
    for (size_t i = 0; i < TOPOLOGY_ROLES; i++)
        for (uint32_t k = 0; k < topology_instances(c, topology_order[i]); k++)
            out->slots[out->n++] = (struct master_slot){.role = topology_order[i], .instance = k};
}

// --- telling it what it needs

// A child that doesn't take what it is told is as good as dead.
static bool tell(struct master_child *child, const struct handover *h) {
    struct err e;
    if (handover_send(child->process.channel, h, &e))
        return true;
    snprintf(child->why, sizeof child->why, "%s", e.text);
    process_signal(child->process.pid, SIGKILL);
    return false;
}

void master_tell_stop(struct master *m, struct master_child *child) {
    if (child->state == MASTER_STOPPING)
        return;
    child->state = MASTER_STOPPING;
    tell(child, &(struct handover){.note = HANDOVER_STOP, .fd = -1});
}

static void tell_start(struct master *m, struct master_child *child) {
    struct err e;
    int fd = -1;
    if (!process_text_fd(buf_slice(&m->site->text), &fd, &e)) {
        process_signal(child->process.pid, SIGKILL);
        return;
    }
    tell(child, &(struct handover){.note = HANDOVER_START,
                                   .role = child->role,
                                   .instance = child->instance,
                                   .name = slice_str(m->site->path),
                                   .text = slice_str(m->site->directory),
                                   .fd = fd});
    process_close(fd);
}

static void tell_credentials(struct master *m, struct master_child *child) {
    struct buf chain = {.max = TICKET_CHAIN_BYTES};
    if (child->role == ROLE_KEYS && master_ticket_chain(m, &chain))
        tell(child, &(struct handover){
                        .note = HANDOVER_CREDENTIAL, .name = SLICE("ticket-chain"), .text = buf_slice(&chain), .fd = -1});
    if (chain.p)
        explicit_bzero(chain.p, chain.cap);
    buf_done(&chain);
}

static void tell_listeners(struct master *m, struct master_child *child) {
    const struct config *c = m->site->config;
    for (size_t i = 0; i < c->listens_n; i++) {
        static const enum role takers[] = {[CONFIG_LISTEN_MX] = ROLE_SMTPD,
                                           [CONFIG_LISTEN_HTTP] = ROLE_CONTROL,
                                           [CONFIG_LISTEN_SUBMISSION] = ROLE_SUBMISSION};
        if (takers[c->listens[i].role] == child->role)
            tell(child, &(struct handover){.note = HANDOVER_LISTEN, .index = (uint32_t)i, .fd = m->listeners[i].fd});
    }
    if (child->role == ROLE_CONTROL)
        tell(child, &(struct handover){.note = HANDOVER_LISTEN, .index = HANDOVER_INDEX_CONTROL, .fd = m->control});
}

static void tell_peer(struct master_child *child, enum role role, uint32_t instance, int fd) {
    tell(child, &(struct handover){.note = HANDOVER_PEER, .role = role, .instance = instance, .fd = fd});
    process_close(fd);
}

static void wire_two(struct master_child *a, struct master_child *b) {
    int ends[2];
    struct err e;
    if (!process_link_pair(ends, &e)) {
        process_signal(a->process.pid, SIGKILL);
        return;
    }
    tell_peer(a, b->role, b->instance, ends[0]);
    tell_peer(b, a->role, a->instance, ends[1]);
}

// Links to every process that runs already; later ones make theirs when they start.
static void wire(struct master *m, struct master_child *child) {
    for (size_t i = 0; i < m->slots.n; i++) {
        struct master_child *peer = m->slots.slots[i].child;
        if (peer && peer != child && topology_linked(child->role, peer->role))
            wire_two(child, peer);
    }
    int ends[2];
    struct err e;
    if (!topology_linked(child->role, ROLE_MASTER) || !process_link_pair(ends, &e))
        return;
    tell_peer(child, ROLE_MASTER, 0, ends[0]);
    master_attach_control(m, ends[1]);
}

// --- start

static void on_channel(struct loop_fd *watch) {
    fiber_cond_wake_all(&LIST_ENTRY(watch, struct master_child, watch)->master->wake);
}

static void could_not_start(struct master *m, struct master_slot *slot, const struct err *e) {
    slot->deaths++;
    slot->next_start = loop_in_ms(m->loop, 100 + topology_restart_wait_ms(slot->deaths));
    fiber_cond_wake_all(&m->wake); // so that it is known when to come back
    journal_event(m->journal, JOURNAL_ERROR, "process-not-started",
                  JOURNAL_STR("process", slice_str(role_name(slot->role))), JOURNAL_ERR(e));
}

static bool holds_sessions(const struct master_child *child) { return ROLE_SESSIONS & 1u << child->role; }

void master_start(struct master *m, struct master_slot *slot) {
    struct err e;
    struct process process;
    if (!process_spawn(slot->role, &process, &e)) {
        could_not_start(m, slot, &e);
        return;
    }
    struct master_child *child = MEM_NEW(struct master_child);
    *child = (struct master_child){.master = m,
                                   .role = slot->role,
                                   .instance = slot->instance,
                                   .process = process,
                                   .watch.on_event = on_channel,
                                   .state = MASTER_STARTING,
                                   .started = loop_now(m->loop)};
    if (!loop_fd_add(m->loop, &child->watch, process.channel))
        process_signal(process.pid, SIGKILL);
    list_append(&m->children, &child->entry);
    slot->child = child;
    journal_event(m->journal, JOURNAL_INFO, "process-started", JOURNAL_STR("process", slice_str(role_name(slot->role))),
                  JOURNAL_UINT("instance", slot->instance), JOURNAL_INT("process-id", process.pid));
    tell_start(m, child);
    tell_credentials(m, child);
    tell_listeners(m, child);
    wire(m, child);
    if (!holds_sessions(child) || m->open)
        tell(child, &(struct handover){.note = HANDOVER_BEGIN, .fd = -1});
}

void master_open(struct master *m) {
    m->open = true;
    LIST_EACH(at, &m->children) {
        struct master_child *child = LIST_ENTRY(at, struct master_child, entry);
        if (holds_sessions(child))
            tell(child, &(struct handover){.note = HANDOVER_BEGIN, .fd = -1});
    }
}

void master_replace(struct master *m, struct master_slot *slot) {
    struct master_child *old = slot->child;
    slot->child = NULL;
    slot->deaths = 0;
    if (old)
        master_tell_stop(m, old);
    master_start(m, slot);
}

// --- what it says

static void hear(struct master *m, struct master_child *child) {
    BUF_AUTO struct buf bytes = {.max = HANDOVER_MAX};
    struct handover h;
    enum handover_got got;
    while ((got = handover_receive(child->process.channel, false, &bytes, &h)) == HANDOVER_GOT) {
        process_close(h.fd); // nobody below hands us anything
        if (h.note == HANDOVER_READY && child->state == MASTER_STARTING)
            child->state = MASTER_READY;
        else if (h.note == HANDOVER_PONG)
            child->unanswered = 0;
        else if (h.note == HANDOVER_FAILED)
            snprintf(child->why, sizeof child->why, "%.*s", SLICE_ARG(h.text));
    }
    if (got == HANDOVER_END) // its end comes by itself, unless it hangs without its channel
        process_signal(child->process.pid, SIGKILL);
}

// A process that stands in an endless loop is as dead as one that crashed, but says nothing.
static void feel_pulse(struct master *m, struct master_child *child) {
    if (child->state != MASTER_READY)
        return;
    if (child->unanswered >= MASTER_UNANSWERED_MAX) {
        snprintf(child->why, sizeof child->why, "it hung: %u pings without an answer", child->unanswered);
        process_signal(child->process.pid, SIGKILL);
        return;
    }
    child->unanswered++;
    tell(child, &(struct handover){.note = HANDOVER_PING, .fd = -1});
}

void master_watch_pulse(void *arg) {
    struct master *m = arg;
    while (fiber_sleep(MASTER_PING_MS))
        LIST_EACH(at, &m->children) feel_pulse(m, LIST_ENTRY(at, struct master_child, entry));
}

// --- its end

static struct master_slot *slot_of(struct master *m, const struct master_child *child) {
    for (size_t i = 0; i < m->slots.n; i++)
        if (m->slots.slots[i].child == child)
            return &m->slots.slots[i];
    return NULL;
}

// A start that can't succeed is said once, to the person who waits for it.
static void give_up_start(struct master *m, const struct master_child *child, const char *how) {
    if (m->failed)
        return;
    m->failed = m->stopping = true;
    buf_addf(m->why, "%s could not start: %s", role_name(child->role), child->why[0] ? child->why : how);
}

static void plan_restart(struct master *m, struct master_slot *slot, const struct master_child *child,
                         const char *how) {
    if (m->stopping)
        return;
    bool quick = mono_ms_between(child->started, loop_now(m->loop)) < TOPOLOGY_QUICK_DEATH_MS;
    slot->deaths = quick ? slot->deaths + 1 : 1;
    slot->next_start = loop_in_ms(m->loop, topology_restart_wait_ms(slot->deaths));
    slot->restarts++;
    if (!m->up && (child->why[0] || slot->deaths > MASTER_STARTS_MAX))
        give_up_start(m, child, how);
}

static void bury(struct master *m, struct master_child *child, const char *how, bool clean) {
    struct master_slot *slot = slot_of(m, child);
    bool planned = child->state == MASTER_STOPPING && clean;
    journal_event(m->journal, planned ? JOURNAL_INFO : JOURNAL_WARNING, "process-ended",
                  JOURNAL_STR("process", slice_str(role_name(child->role))), JOURNAL_UINT("instance", child->instance),
                  JOURNAL_INT("process-id", child->process.pid), JOURNAL_Z("how", how), JOURNAL_Z("reason", child->why),
                  JOURNAL_MS("lived", mono_ms_between(child->started, loop_now(m->loop))));
    if (slot)
        slot->child = NULL;
    if (slot && !planned)
        plan_restart(m, slot, child, how);
    loop_fd_remove(m->loop, &child->watch);
    process_close(child->process.channel);
    list_remove(&child->entry);
    free(child);
}

static void look_after(struct master *m) {
    LIST_EACH(at, &m->children) {
        struct master_child *child = LIST_ENTRY(at, struct master_child, entry);
        char how[64];
        bool clean;
        hear(m, child);
        if (process_reap(child->process.pid, how, sizeof how, &clean))
            bury(m, child, how, clean);
    }
}

static void take_signals(struct master *m) {
    enum signals_got got;
    while ((got = signals_next(&m->signals)) != SIGNALS_NONE) {
        if (got == SIGNALS_RELOAD)
            m->reload = true;
        if (got == SIGNALS_STOP) {
            m->hurry = m->stopping;
            m->stopping = true;
        }
    }
}

void master_tend(struct master *m) {
    struct mono next = MONO_NEVER;
    take_signals(m);
    look_after(m);
    for (size_t i = 0; i < m->slots.n && !m->stopping; i++) {
        struct master_slot *slot = &m->slots.slots[i];
        if (slot->child)
            continue;
        if (!mono_before(loop_now(m->loop), slot->next_start))
            master_start(m, slot);
        if (!slot->child)
            next = mono_earlier(next, slot->next_start);
    }
    m->next_start = next;
}

void master_wait(struct master *m, struct mono deadline) {
    (void)fiber_cond_wait(&m->wake, mono_earlier(m->next_start, deadline));
    master_tend(m);
}

// The next process of `roles` that was told to stop, behind `at` (NULL: the first).
static struct master_child *next_stopping(struct master *m, struct master_child *at, uint32_t roles) {
    struct list *entry = at ? at->entry.next : m->children.next;
    for (; entry != &m->children; entry = entry->next) {
        struct master_child *child = LIST_ENTRY(entry, struct master_child, entry);
        if (child->state == MASTER_STOPPING && (roles & (1u << child->role)))
            return child;
    }
    return NULL;
}

void master_await_end(struct master *m, uint32_t roles, int64_t ms) {
    struct mono deadline = loop_in_ms(m->loop, ms);
    bool stopping = m->stopping;
    while (next_stopping(m, NULL, roles) && !m->hurry && mono_before(loop_now(m->loop), deadline)) {
        master_wait(m, deadline);
        if (m->stopping != stopping)
            return; // the stop has waits of its own
    }
    for (struct master_child *c = NULL; (c = next_stopping(m, c, roles));)
        process_signal(c->process.pid, SIGKILL);
    while (next_stopping(m, NULL, roles))
        master_wait(m, MONO_NEVER);
}

void master_end_roles(struct master *m, uint32_t roles, int64_t ms) {
    LIST_EACH(at, &m->children) {
        struct master_child *child = LIST_ENTRY(at, struct master_child, entry);
        if (roles & (1u << child->role))
            master_tell_stop(m, child);
    }
    master_await_end(m, roles, ms);
}
