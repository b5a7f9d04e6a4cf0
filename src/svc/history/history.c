// history: takes records and writes them at the end of each turn.
#include "svc/history/history.h"

#include "base/mem.h"
#include "core/message/message_gate.h"
#include "core/history/record_file.h"
#include "rt/journal.h"
#include "svc/history/history_store.h"
#include "svc/metrics.h"

#include <assert.h>
#include <stdlib.h>

enum {
    AGAIN_MS = MS_MINUTE, // after a write that failed
    AGE_MS = 10 * MS_MINUTE,
    QUIET_MS = 200, // longer than sessions gather
    DRAIN_MS = MS_SECOND,
};

struct history_service {
    struct world *world;
    const struct config *config;
    struct fiber_group group;
    struct peer sessions, queue, control;
    struct history_store store;
    struct buf waiting; // whole records with their frames
    uint64_t waiting_n; // records
    bool took;          // any, since somebody looked
    struct loop_task write;
    struct loop_timer timer;
    bool failing; // nothing is tried until the timer
    bool told;    // of a failure that isn't over
    struct metric metric;
};

// ---- writing

static void note_failure(struct history_service *s, const struct err *e) {
    if (!s->told)
        journal_event(s->world->journal, JOURNAL_WARNING, "history-stopped", JOURNAL_Z("reason", e->text));
    s->failing = s->told = true;
    loop_timer_set(s->world->loop, &s->timer, loop_in_ms(s->world->loop, AGAIN_MS));
}

static void note_success(struct history_service *s) {
    if (s->told)
        journal_event(s->world->journal, JOURNAL_INFO, "history-goes-on", JOURNAL_UINT("bytes", s->store.total));
    s->told = false;
}

static void count(struct history_service *s, unsigned label, uint64_t n) {
    metric_add_at(&s->metric, METRIC_HISTORY_RECORDS, label, n);
}

static void write_waiting(struct history_service *s) {
    struct err e;
    if (s->waiting.n == 0)
        return;
    bool ok = history_store_write(&s->store, buf_slice(&s->waiting), world_wall(s->world), &e);
    count(s, ok ? METRIC_HISTORY_KEPT : METRIC_HISTORY_LOST, s->waiting_n);
    buf_reset(&s->waiting);
    s->waiting_n = 0;
    metric_set(&s->metric, METRIC_HISTORY_BYTES, (int64_t)s->store.total);
    if (ok)
        note_success(s);
    else
        note_failure(s, &e);
}

static void write_at_end(struct loop_task *task) {
    struct history_service *s = LIST_ENTRY(task, struct history_service, write);
    write_waiting(s);
    buf_trim(&s->waiting);
}

// After a failure: whether it goes on shows at the next write. Else: what is too old goes.
static void on_timer(struct loop_timer *t) {
    struct history_service *s = LIST_ENTRY(t, struct history_service, timer);
    s->failing = false;
    history_store_age(&s->store, world_wall(s->world));
    metric_set(&s->metric, METRIC_HISTORY_BYTES, (int64_t)s->store.total);
    loop_timer_set(s->world->loop, t, loop_in_ms(s->world->loop, AGE_MS));
}

// ---- records

static void add_record(struct history_service *s, struct slice packed) {
    if (s->failing) {
        count(s, METRIC_HISTORY_LOST, 1);
        return;
    }
    if (s->waiting.n + RECORD_FILE_FRAME + packed.n > HISTORY_BATCH)
        write_waiting(s);
    record_file_add(&s->waiting, packed);
    s->waiting_n++;
    loop_task_set(s->world->loop, &s->write);
}

static void take(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct history_service *s = service;
    struct slice rest = frame->payload, packed;
    if (frame->type != LINK_RECORDS) {
        link_break(from->link, "not for history");
        return;
    }
    s->took = true;
    while (message_records_next(&rest, &packed))
        add_record(s, packed);
    if (rest.n)
        link_break(from->link, "malformed RECORDS");
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct history_service *s = service;
    metrics_answer(&s->metric, s->world, from, frame);
}

// ---- the service

struct history_service *history_new(struct world *w, const struct config *c) {
    struct history_service *s = MEM_NEW(struct history_service);
    *s = (struct history_service){
        .world = w,
        .config = c,
        .store = {.disk = w->disk,
                  .size_max = c->gate.history.size,
                  .age_max = c->gate.history.days,
                  .reserve = c->queue.reserve},
        .waiting = {.max = HISTORY_BATCH},
        .write = {.run = write_at_end},
        .timer = {.fire = on_timer},
    };
    fiber_group_init(&s->group, w->loop, "history");
    s->sessions = s->queue = (struct peer){.group = &s->group, .handle = take, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    metrics_begin(&s->metric, w);
    return s;
}

// What it can't read or write is no reason for the house not to start: the next record tries again.
bool history_start(struct history_service *s, struct err *e) {
    struct err why;
    if (history_store_open(&s->store, &why))
        on_timer(&s->timer);
    else
        note_failure(s, &why);
    return true;
}

void history_attach(struct history_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_QUEUE ? &s->queue : peer == ROLE_CONTROL ? &s->control : &s->sessions, link);
}

void history_drain(struct history_service *s) {
    struct mono end = loop_in_ms(s->world->loop, DRAIN_MS);
    do
        s->took = false;
    while (fiber_sleep(QUIET_MS) && s->took && loop_now(s->world->loop).ns < end.ns);
}

void history_stop(struct history_service *s) {
    loop_timer_stop(s->world->loop, &s->timer);
    fiber_group_cancel(&s->group);
}

struct fiber_group *history_fibers(struct history_service *s) {
    return &s->group;
}

void history_free(struct history_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    loop_timer_stop(s->world->loop, &s->timer);
    loop_task_stop(&s->write);
    write_waiting(s);
    buf_done(&s->waiting);
    history_store_close(&s->store);
    free(s);
}
