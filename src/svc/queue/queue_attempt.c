// queue_attempt: work is handed to the workers in the schedule's order, and their outcomes come back. A worker that
// dies gives back what it had.
#include "svc/queue/queue_inside.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { NOTIFY_HEADER_MAX = 32 * 1024, CRASHES_MAX = 3, FULL_LINK_MS = 50 };

void queue_pump_soon(struct queue_service *q) {
    if (q->started && !q->stopping)
        loop_task_set(q->world->loop, &q->pump);
}

// --- the table of attempts

static uint32_t free_slot(struct queue_service *q) {
    for (size_t i = 0; i < q->attempts_cap; i++) {
        size_t at = (q->generation + i) % q->attempts_cap;
        if (!q->attempts[at])
            return (uint32_t)at;
    }
    size_t old = q->attempts_cap;
    q->attempts_cap = old ? 2 * old : 64;
    q->attempts = mem_grow(q->attempts, q->attempts_cap, sizeof(struct queue_attempt *));
    memset(q->attempts + old, 0, (q->attempts_cap - old) * sizeof(struct queue_attempt *));
    return (uint32_t)old;
}

static void add_attempt(struct queue_service *q, struct queue_attempt *a, struct queue_peer *p) {
    q->generation++;
    a->peer = p;
    a->slot = free_slot(q);
    a->id = (uint64_t)q->generation << 32 | a->slot;
    q->attempts[a->slot] = a;
    q->attempts_n++;
    list_append(&p->attempts, &a->entry);
    p->attempts_n++;
    a->group->message->pins++;
}

static void remove_attempt(struct queue_service *q, struct queue_attempt *a, struct queue_peer *p) {
    list_remove(&a->entry);
    q->attempts[a->slot] = NULL;
    q->attempts_n--;
    p->attempts_n--;
    a->group->message->pins--;
    free(a);
}

void queue_attempt_free_all(struct queue_service *q) {
    for (size_t i = 0; i < q->attempts_cap; i++)
        free(q->attempts[i]);
    free(q->attempts);
}

static struct queue_attempt *find_attempt(const struct queue_service *q, const struct queue_peer *p, uint64_t id) {
    uint32_t slot = (uint32_t)id;
    struct queue_attempt *a = slot < q->attempts_cap ? q->attempts[slot] : NULL;
    return a && a->id == id && a->peer == p ? a : NULL;
}

// --- choosing a worker

// The one that had the destination last, for its connections; else the one with the least to do.
static struct queue_peer *choose_worker(struct queue_service *q, const struct queue_destination *d) {
    struct queue_peer *least = NULL;
    LIST_EACH(at, &q->peers) {
        struct queue_peer *p = LIST_ENTRY(at, struct queue_peer, entry);
        if (p->role != d->role || !link_is_up(p->base.link))
            continue;
        if (p == d->worker)
            return p;
        if (!least || p->attempts_n < least->attempts_n)
            least = p;
    }
    return least;
}

// --- making the work

static bool is_tried(const struct queue_group *g, const struct queue_recipient *r) {
    if (g == g->message->notify)
        return r->state == LOG_RECIPIENT_FAILED && r->known;
    return r->state == LOG_RECIPIENT_OPEN && r->group == g->number;
}

// Who is tried, with a copy of each address for the log.
static struct queue_attempt *new_attempt(struct queue_group *g, const struct envelope *env) {
    const struct queue_message *m = g->message;
    size_t n = 0, bytes = 0;
    for (size_t i = 0; i < m->recipients_n; i++)
        if (is_tried(g, &m->recipients[i])) {
            n++;
            bytes += env->recipients[i].address.n;
        }
    struct queue_attempt *a = mem_new(1, sizeof *a + n * sizeof *a->tried + bytes);
    char *text = (char *)&a->tried[n];
    a->group = g;
    for (size_t i = 0; i < m->recipients_n; i++) {
        struct slice address = env->recipients[i].address;
        if (!is_tried(g, &m->recipients[i]))
            continue;
        if (address.n)
            memcpy(text, address.p, address.n);
        a->tried[a->n++] = (struct queue_tried){(uint32_t)i, slice_of(text, address.n)};
        text += address.n;
    }
    return a;
}

static struct message_work_recipient work_recipient(const struct queue_message *m, const struct envelope *env,
                                                    uint32_t i) {
    struct message_work_recipient w = {
        .index = i, .address = env->recipients[i].address, .original = env->recipients[i].original};
    const struct queue_reason *why = m->recipients[i].reason;
    if (m->recipients[i].state != LOG_RECIPIENT_FAILED)
        return w;
    w.enhanced[0] = 5;
    if (!why)
        return w;
    w.smtp = why->smtp;
    if (why->enhanced[0])
        memcpy(w.enhanced, why->enhanced, sizeof w.enhanced);
    w.reason = why->text;
    w.remote = why->remote;
    w.expired = why->expired;
    return w;
}

static struct message_work work_of(struct queue_service *q, const struct queue_attempt *a,
                                   const struct message_submit *m) {
    static const enum message_work_kind kinds[] = {[QUEUE_TARGET_MX] = MESSAGE_WORK_RELAY_MX,
                                                   [QUEUE_TARGET_HOST] = MESSAGE_WORK_RELAY_HOST,
                                                   [QUEUE_TARGET_DELIVER] = MESSAGE_WORK_DELIVER,
                                                   [QUEUE_TARGET_NOTIFY] = MESSAGE_WORK_NOTIFY};
    const struct queue_group *g = a->group;
    const struct queue_destination *d = g->destination;
    return (struct message_work){.kind = kinds[d->target],
                                 .queue_id = m->queue_id,
                                 .host = d->host,
                                 .port = d->port,
                                 .flags = m->envelope.flags,
                                 .sender = m->envelope.sender,
                                 .session = m->envelope.session,
                                 .arrived = m->envelope.arrived,
                                 .attempt = g->attempts + 1,
                                 .recipients = arena_alloc(&q->arena, a->n * sizeof(struct message_work_recipient)),
                                 .recipients_n = a->n,
                                 .size = g->message->size};
}

// A notification's header section; else all of what is small.
static bool work_content(struct queue_service *q, struct queue_group *g, const struct message_submit *m,
                         struct message_work *w, struct err *e) {
    struct queue_message *message = g->message;
    bool notify = g == message->notify;
    w->content = m->content;
    if (message->file) {
        size_t n = notify ? NOTIFY_HEADER_MAX : message->size <= MESSAGE_INLINE_MAX ? (size_t)message->size : 0;
        buf_reset(&q->scratch);
        if (!queue_message_content(q, message, 0, n, &q->scratch, e))
            return false;
        w->content = buf_slice(&q->scratch);
    }
    if (notify) {
        w->content = slice_upto(w->content, NOTIFY_HEADER_MAX);
        w->content = slice_upto(w->content, slice_search(w->content, SLICE("\r\n\r\n")) + 2);
    }
    return true;
}

enum sent { SENT, SENT_FULL, SENT_NOT };

static enum sent send_work(struct queue_service *q, struct queue_peer *p, struct queue_attempt *a,
                           const struct message_submit *m, struct err *e) {
    BUF_AUTO struct buf head = {.max = LINK_PAYLOAD_MAX};
    struct message_work w = work_of(q, a, m);
    if (!w.recipients || !work_content(q, a->group, m, &w, e)) {
        if (!w.recipients)
            err_set(e, ERR_TEMPORARY, "no memory for so many recipients");
        return SENT_NOT;
    }
    for (size_t i = 0; i < a->n; i++)
        w.recipients[i] = work_recipient(a->group->message, &m->envelope, a->tried[i].index);
    message_work_pack_head(&head, &w);
    const struct slice parts[] = {buf_slice(&head), w.content};
    return link_send(p->base.link, LINK_WORK, a->id, parts, 2) ? SENT : SENT_FULL;
}

// The bytes can't be had: the group waits, as after any deferral.
static void defer_unread(struct queue_service *q, struct queue_group *g, const struct err *e) {
    struct wall now = world_wall(q->world);
    g->attempts++;
    queue_schedule_ended(&q->schedule, g, MESSAGE_SITE_UNTRIED);
    int64_t wait = queue_schedule_wait(&q->schedule, g->destination, g->attempts);
    queue_schedule_defer(&q->schedule, g, wall_add_ms(now, wait), loop_in_ms(q->world->loop, wait));
    queue_outcome_set_timer(q);
    if (e->kind != ERR_CANCELLED)
        journal_event(q->world->journal, JOURNAL_ERROR, "message-not-read", JOURNAL_ERR(e));
}

static enum sent start(struct queue_service *q, struct queue_group *g, struct queue_peer *p, struct err *e) {
    struct message_submit m;
    arena_reset(&q->arena);
    if (!queue_message_load(g->message, &q->content, &q->arena, &m, e))
        return SENT_NOT;
    struct queue_attempt *a = new_attempt(g, &m.envelope);
    a->started = loop_now(q->world->loop);
    add_attempt(q, a, p);
    enum sent sent = send_work(q, p, a, &m, e);
    if (sent != SENT) {
        remove_attempt(q, a, p);
        return sent;
    }
    g->destination->worker = p;
    for (size_t i = 0; i < a->n; i++)
        g->message->recipients[a->tried[i].index].telling = g == g->message->notify;
    return SENT;
}

static void fail_bad(struct queue_service *q, struct queue_group *g) {
    struct log_recipient why = {
        .smtp = 550, .enhanced = {5, 1, 2}, .reason = SLICE("the domain of the address is not valid")};
    queue_schedule_ended(&q->schedule, g, MESSAGE_SITE_UNTRIED);
    queue_outcome_fail_group(q, g, &why);
}

static void hand_out(struct queue_service *q, struct queue_group *g) {
    struct err e;
    struct queue_peer *p = choose_worker(q, g->destination);
    switch (p ? start(q, g, p, &e) : SENT_FULL) {
    case SENT:
        break;
    case SENT_FULL: // until a worker comes, or reads on
        queue_schedule_unstart(&q->schedule, g);
        if (p)
            loop_timer_set(q->world->loop, &q->pump_timer, loop_in_ms(q->world->loop, FULL_LINK_MS));
        break;
    case SENT_NOT:
        defer_unread(q, g, &e);
    }
}

void queue_pump(struct queue_service *q) {
    struct queue_group *g;
    while (q->started && !q->stopping && q->settles_n < QUEUE_SETTLES_MAX &&
           (g = queue_schedule_next(&q->schedule, q->config->queue.attempts)))
        if (g->destination->target == QUEUE_TARGET_BAD)
            fail_bad(q, g);
        else
            hand_out(q, g);
}

// --- outcomes

static const struct queue_tried *find_tried(const struct queue_attempt *a, uint32_t index) {
    for (size_t i = 0; i < a->n; i++)
        if (a->tried[i].index == index)
            return &a->tried[i];
    return NULL;
}

static struct queue_how how_of(const struct queue_service *q, const struct queue_attempt *a,
                               const struct message_outcome *o) {
    return (struct queue_how){.remote = o->remote,
                              .connection_use = o->connection_use,
                              .ms_connect = o->ms_connect,
                              .ms_transfer = o->ms_transfer,
                              .ms_total = mono_ms_between(a->started, loop_now(q->world->loop)),
                              .tls = o->tls};
}

static void apply(struct queue_service *q, struct queue_attempt *a, const struct message_outcome *o) {
    struct queue_message *m = a->group->message;
    struct queue_how how = how_of(q, a, o);
    for (size_t i = 0; i < o->recipients_n; i++) {
        const struct message_outcome_recipient *r = &o->recipients[i];
        // The workers keep the order of the work.
        const struct queue_tried *tried =
            i < a->n && a->tried[i].index == r->index ? &a->tried[i] : find_tried(a, r->index);
        if (!tried)
            continue;
        if (a->group == m->notify)
            queue_outcome_told(q, m, r->index, tried->address, r);
        else
            queue_outcome_recipient(q, m, r->index, tried->address, r, &how);
    }
}

static void settle_attempt(struct queue_service *q, const struct queue_attempt *a) {
    uint32_t *indices = mem_new(a->n, sizeof *indices);
    for (size_t i = 0; i < a->n; i++)
        indices[i] = a->tried[i].index;
    queue_settle(q, a->group->message, indices, a->n);
    free(indices);
}

static void stop_telling(struct queue_message *m, const struct queue_attempt *a) {
    for (size_t i = 0; i < a->n; i++)
        m->recipients[a->tried[i].index].telling = false;
}

void queue_attempt_outcome(struct queue_peer *p, const struct link_frame *f) {
    struct queue_service *q = p->q;
    struct message_outcome o;
    struct queue_attempt *a = find_attempt(q, p, f->id);
    if (!message_outcome_unpack(f->payload, &p->arena, &o)) {
        link_break(p->base.link, "a malformed OUTCOME");
        return;
    }
    if (!a)
        return; // of an attempt that was taken back
    struct queue_group *g = a->group;
    struct queue_message *m = g->message;
    struct queue_destination *d = g->destination;
    g->attempts++;
    g->crashes = 0;
    queue_schedule_ended(&q->schedule, g, o.site);
    apply(q, a, &o);
    queue_outcome_block(q, d, &o);
    stop_telling(m, a);
    queue_outcome_group(q, g, false);
    settle_attempt(q, a);
    remove_attempt(q, a, p);
    queue_pump_soon(q);
}

void queue_attempt_lost(struct queue_peer *p) {
    struct queue_service *q = p->q;
    LIST_EACH(at, &p->attempts) {
        struct queue_attempt *a = LIST_ENTRY(at, struct queue_attempt, entry);
        struct queue_group *g = a->group;
        struct queue_message *m = g->message;
        stop_telling(m, a);
        queue_schedule_ended(&q->schedule, g, MESSAGE_SITE_UNTRIED);
        // One message must not bring workers down for ever.
        bool at_once = ++g->crashes < CRASHES_MAX;
        g->attempts += !at_once;
        remove_attempt(q, a, p);
        queue_outcome_group(q, g, at_once);
        queue_message_release(q, m);
    }
}

// --- large content, piece by piece

void queue_attempt_read(struct queue_peer *p, const struct link_frame *f) {
    BUF_AUTO struct buf b = {.max = MESSAGE_INLINE_MAX};
    struct message_read r;
    struct err e;
    if (!message_read_unpack(f->payload, &r)) {
        link_break(p->base.link, "a malformed READ");
        return;
    }
    struct queue_message *m = queue_index_find(&p->q->index, r.queue_id);
    if (m && !queue_message_content(p->q, m, r.offset, r.n, &b, &e))
        journal_event(p->q->world->journal, JOURNAL_ERROR, "message-not-read", JOURNAL_ERR(&e));
    link_send1(p->base.link, LINK_READ_REPLY, f->id, buf_slice(&b));
}
