// queue: the service: its links and their readers, its start and its end. The rest of the story, in its order:
//
//     queue_accept.c    a submission comes in, whole or in pieces
//     queue_commit.c    all that wait are written and synced together; then 250
//     queue_message.c   the record becomes a message in memory; the same when the log is read at the start
//     queue_schedule.c  whose turn it is
//     queue_attempt.c   work is handed out, outcomes come back
//     queue_outcome.c   what becomes of each recipient, and what the sender is told
//     queue_compact.c   room is made for more
//     queue_admin.c     people look and steer
#include "svc/queue/queue_inside.h"

#include "base/mem.h"
#include "svc/metrics.h"

#include <assert.h>
#include <stdlib.h>

static void pump_task(struct loop_task *t) { queue_pump(LIST_ENTRY(t, struct queue_service, pump)); }

static void due_fire(struct loop_timer *t) { queue_outcome_due(LIST_ENTRY(t, struct queue_service, due_timer)); }

static void pump_fire(struct loop_timer *t) {
    struct queue_service *q = LIST_ENTRY(t, struct queue_service, pump_timer);
    for (enum role r = 0; r < ROLE_COUNT; r++)
        queue_schedule_resume(&q->schedule, r, true);
    queue_pump_soon(q);
}

struct queue_service *queue_new(struct world *w, const struct config *c) {
    struct queue_service *q = MEM_NEW(struct queue_service);
    q->world = w;
    q->config = c;
    fiber_group_init(&q->group, w->loop, "queue");
    queue_log_init(&q->log, w, c->queue.segment_size, c->queue.reserve);
    queue_index_init(&q->index, w);
    queue_schedule_init(&q->schedule, c, &q->index, w);
    queue_commit_init(q);
    queue_history_init(q);
    list_init(&q->peers);
    q->pump.run = pump_task;
    q->due_timer.fire = due_fire;
    q->pump_timer.fire = pump_fire;
    q->scratch.max = LINK_PAYLOAD_MAX;
    q->content.max = LOG_PAYLOAD_MAX + LOG_RECORD_HEADER + LOG_ALIGN;
    q->arena.max = QUEUE_ARENA_MAX;
    q->free_bytes = UINT64_MAX;
    metrics_begin(&q->metric, w);
    return q;
}

// What is final already had only its outcome left in the log.
static void schedule_all(struct queue_service *q) {
    LIST_EACH(at, &q->index.all) {
        struct queue_message *m = LIST_ENTRY(at, struct queue_message, entry);
        queue_message_schedule(q, m);
    }
}

bool queue_start(struct queue_service *q, struct err *e) {
    struct queue_replay_hooks hooks = {.record = queue_replay_record, .damage = queue_replay_damage, .arg = q};
    struct err full;
    if (!queue_replay(&q->log, &hooks, e))
        return false;
    if (!queue_log_open(&q->log, false, &full)) {
        if (full.kind == ERR_CANCELLED) {
            *e = full;
            return false;
        }
        journal_event(q->world->journal, JOURNAL_ERROR, "log-not-opened", JOURNAL_ERR(&full));
    }
    queue_big_remove_orphans(q);
    q->started = true;
    schedule_all(q);
    journal_event(q->world->journal, JOURNAL_INFO, "queue-open", JOURNAL_UINT("messages", q->index.messages.n),
                  JOURNAL_UINT("segments", q->log.segments_n));
    queue_pump_soon(q);
    return queue_compact_start(q, e);
}

// --- links

static void handle(struct queue_peer *p, const struct link_frame *f) {
    switch (f->type) {
    case LINK_SUBMIT:
        queue_accept_submit(p, f);
        break;
    case LINK_SUBMIT_OPEN:
        queue_accept_open(p, f);
        break;
    case LINK_SUBMIT_PIECE:
        queue_accept_piece(p, f);
        break;
    case LINK_SUBMIT_ABORT:
        queue_accept_abort(p, f);
        break;
    case LINK_OUTCOME:
        queue_attempt_outcome(p, f);
        break;
    case LINK_READ:
        queue_attempt_read(p, f);
        break;
    default:
        queue_admin_frame(p, f);
    }
}

// The batch takes what was submitted straight from the link's memory: no reading on until it is written.
static FIBER_FN bool wait_for_batch(struct queue_peer *p) {
    while (p->waits > 0)
        if (fiber_park(MONO_NEVER) == FIBER_CANCELLED)
            return false;
    arena_reset(&p->arena);
    return true;
}

static void read_link(void *arg) {
    struct queue_peer *p = arg;
    struct queue_service *q = p->q;
    struct link_frame frame;
    struct err e;
    p->reader = fiber_self();
    while (link_receive(p->base.link, MONO_NEVER, &e)) {
        while (link_next(p->base.link, &frame))
            handle(p, &frame);
        if (!wait_for_batch(p))
            break;
    }
    list_remove(&p->entry);
    queue_accept_end(p);
    queue_attempt_lost(p);
    link_free(p->base.link);
    arena_done(&p->arena);
    free(p);
    if (!fiber_cancelled())
        queue_pump_soon(q);
}

void queue_attach(struct queue_service *q, struct link *link, enum role peer) {
    struct queue_peer *p = MEM_NEW(struct queue_peer);
    struct err e;
    *p = (struct queue_peer){.base = {.link = link}, .q = q, .role = peer, .arena = {.max = QUEUE_ARENA_MAX}};
    world_random(q->world, &p->slots.key, sizeof p->slots.key);
    list_init(&p->attempts);
    if (!fiber_spawn(&q->group, "link", read_link, p, &e)) {
        link_free(link);
        free(p);
        return;
    }
    list_append(&q->peers, &p->entry);
    queue_schedule_resume(&q->schedule, peer, true);
    queue_pump_soon(q);
    if (peer == ROLE_HISTORY)
        queue_history_attached(q);
}

// --- the end

void queue_stop(struct queue_service *q) {
    q->stopping = true;
    queue_commit_now(q);
    fiber_group_cancel(&q->group);
}

struct fiber_group *queue_fibers(struct queue_service *q) {
    return &q->group;
}

static void free_pending(struct queue_service *q) {
    struct list *at;
    while ((at = list_shift(&q->settles))) {
        struct queue_settle *s = LIST_ENTRY(at, struct queue_settle, entry);
        buf_done(&s->payload);
        free(s);
    }
    while ((at = list_shift(&q->copies))) {
        struct queue_copy *c = LIST_ENTRY(at, struct queue_copy, entry);
        buf_done(&c->payload);
        free(c);
    }
}

static void forget_all(struct queue_service *q) {
    LIST_EACH(at, &q->index.all) {
        struct queue_message *m = LIST_ENTRY(at, struct queue_message, entry);
        for (size_t i = 0; i < m->groups_n; i++)
            list_remove(&m->groups[i].entry);
        if (m->notify)
            list_remove(&m->notify->entry);
    }
}

void queue_free(struct queue_service *q) {
    if (!q)
        return;
    assert(q->group.n == 0);
    loop_task_stop(&q->commit);
    loop_task_stop(&q->pump);
    loop_timer_stop(q->world->loop, &q->settle_timer);
    loop_timer_stop(q->world->loop, &q->due_timer);
    loop_timer_stop(q->world->loop, &q->pump_timer);
    queue_history_done(q);
    free_pending(q);
    forget_all(q);
    queue_attempt_free_all(q);
    queue_schedule_done(&q->schedule);
    queue_index_done(&q->index);
    queue_log_done(&q->log);
    buf_done(&q->scratch);
    buf_done(&q->content);
    arena_done(&q->arena);
    free(q->entries);
    free(q);
}
