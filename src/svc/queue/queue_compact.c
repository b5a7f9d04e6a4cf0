// queue_compact: the oldest segment is emptied by copying what still lives in it to the log's head, as it stands now,
// and is then used again; spare segments are prewritten ahead. Both in small steps, so that mail flows meanwhile.
#include "svc/queue/queue_inside.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
    SEGMENTS_FREE = 3, // segments more than twice what the live messages need, before copying begins
    IDLE_MS = 1000,
    STEP_MS = 3,        // between two steps of prewriting
    BUSY_MS = 20,       // likewise, when it is ahead and mail comes in
    TROUBLE_MS = 10000, // after a failure
    INFLOW_MS = 50,     // between two looks at how fast mail comes
    TORRENT_BYTES_MS =
        60 * 1000, // a disk that writes 250 MB a second can't take this and as many zeros, and sync often
};

static uint64_t live_bytes(const struct queue_log *l) {
    uint64_t n = 0;
    LIST_EACH(at, &l->segments) n += LIST_ENTRY(at, struct queue_segment, entry)->live;
    return n;
}

static bool can_drop(const struct queue_service *q) {
    struct queue_segment *s = queue_log_oldest(&q->log);
    return s && s != q->log.current && list_empty(&s->messages);
}

// Copying needs room itself, and gives none back when all of the segment lives.
static bool wants_copying(const struct queue_service *q) {
    const struct queue_log *l = &q->log;
    struct queue_segment *s = queue_log_oldest(l);
    if (!s || s == l->current || q->failing || !l->current || (l->on_reserve && l->spares_n == 0))
        return false;
    bool fits = l->current->end + s->live <= l->current->size;
    if ((q->low || l->spares_n <= 1) && !fits) // the reserve is not for this
        return false;
    uint64_t needed = live_bytes(l) / l->segment_size + 1;
    return l->segments_n > 2 * needed + SEGMENTS_FREE;
}

void queue_compact_look(struct queue_service *q) {
    if (can_drop(q) || wants_copying(q) || queue_space_wants(&q->log))
        fiber_cond_wake_all(&q->work);
}

// --- copying

static bool pack_copy(struct queue_message *m, struct queue_copy *c, struct err *e) {
    struct log_state state = {.file = m->file, .size = m->file ? m->size : 0, .start = m->start};
    struct log_recipient *recipients = mem_new(m->recipients_n, sizeof *recipients);
    size_t n = m->place.length - m->place.prefix;
    state.recipients = recipients;
    for (uint32_t i = 0; i < m->recipients_n; i++)
        recipients[state.recipients_n++] = queue_recipient_log(m, i);
    log_state_pack(&c->payload, &state);
    free(recipients);
    c->record.prefix.n = c->payload.n;
    char *to = buf_reserve(&c->payload, n);
    if (!to)
        return err_set(e, ERR_TEMPORARY, "no memory for a message");
    if (!queue_log_read(&m->place, m->place.prefix, to, n, e))
        return false;
    buf_commit(&c->payload, n);
    return true;
}

static bool add_copy(struct queue_service *q, struct queue_message *m, struct err *e) {
    struct queue_copy *c = MEM_NEW(struct queue_copy);
    *c = (struct queue_copy){.id = m->id, .payload = {.max = LOG_PAYLOAD_MAX}};
    if (!pack_copy(m, c, e)) {
        buf_done(&c->payload);
        free(c);
        return false;
    }
    c->record = (struct queue_entry){.type = LOG_RECORD_STATE,
                                     .reserved = true,
                                     .prefix = slice_of(c->payload.p, c->record.prefix.n),
                                     .payload = slice_from(buf_slice(&c->payload), c->record.prefix.n)};
    q->copies_bytes += c->payload.n;
    list_append(&q->copies, &c->entry);
    return true;
}

void queue_compact_copied(struct queue_service *q, struct queue_copy *c) {
    struct queue_message *m = queue_index_find(&q->index, c->id);
    if (m)
        queue_index_place(m, &c->record.place);
}

static bool copy_some(struct queue_service *q, struct err *e) {
    struct queue_segment *s = queue_log_oldest(&q->log);
    bool ok = true;
    LIST_EACH(at, &s->messages) {
        if (!ok || q->copies_bytes >= QUEUE_COPY_BATCH)
            break;
        ok = add_copy(q, LIST_ENTRY(at, struct queue_message, by_segment), e);
    }
    loop_task_set(q->world->loop, &q->commit);
    return ok;
}

static FIBER_FN bool wait_for_copies(struct queue_service *q) {
    while (!list_empty(&q->copies))
        if (!fiber_sleep(1))
            return false;
    return true;
}

// --- the fibers

static FIBER_FN bool pause(struct queue_service *q, int64_t ms) {
    return fiber_cond_wait(&q->work, loop_in_ms(q->world->loop, ms)) != FIBER_CANCELLED && !q->stopping;
}

static void trouble(struct queue_service *q, const char *event, const struct err *e) {
    if (e->kind != ERR_CANCELLED)
        journal_write(q->world->journal, JOURNAL_ERROR, slice_str(event),
                      (const struct journal_field[]){JOURNAL_ERR(e)}, 1);
}

static void compact(void *arg) {
    struct queue_service *q = arg;
    struct err e;
    bool more = true;
    while (more) {
        int64_t wait = 0;
        if (can_drop(q)) {
            if (queue_log_drop_oldest(&q->log, &e)) {
                metric_add(&q->metric, METRIC_LOG_COMPACTED, 1);
            } else {
                trouble(q, "segment-not-dropped", &e);
                wait = TROUBLE_MS;
            }
        } else if (wants_copying(q)) {
            if (!copy_some(q, &e)) {
                trouble(q, "compaction-failed", &e);
                wait = TROUBLE_MS;
            }
            more = wait_for_copies(q);
            wait = q->failing ? TROUBLE_MS : wait;
        } else {
            wait = IDLE_MS;
        }
        more = more && (wait ? pause(q, wait) : fiber_sleep(0)) && !q->stopping;
    }
}

void queue_look_at_disk(struct queue_service *q) {
    struct err e;
    uint64_t n;
    if (!disk_free_bytes(q->world->disk, &n, &e))
        return;
    bool low = n < q->config->queue.reserve;
    const struct journal_field fields[] = {JOURNAL_UINT("free", n), JOURNAL_UINT("reserve", q->config->queue.reserve)};
    if (low && !q->low)
        journal_write(q->world->journal, JOURNAL_ERROR, SLICE("disk-full"), fields, 2);
    else if (q->low && !low)
        journal_write(q->world->journal, JOURNAL_INFO, SLICE("disk-has-room"), fields, 2);
    q->free_bytes = n;
    q->low = low;
}

// Bytes that came since the last look, and how fast.
struct inflow {
    uint64_t bytes;
    struct mono at;
    bool any;     // mail came
    bool torrent; // more than could be prewritten for beside it: segments are allocated then
};

static void look_at_inflow(struct queue_service *q, struct inflow *in) {
    struct mono now = loop_now(q->world->loop);
    int64_t ms = mono_ms_between(in->at, now);
    uint64_t came = q->log.counts.bytes - in->bytes;
    in->any = came > 0;
    if (ms < INFLOW_MS)
        return;
    in->torrent = came > (uint64_t)ms * TORRENT_BYTES_MS;
    in->bytes = q->log.counts.bytes;
    in->at = now;
}

// While mail comes in, prewriting goes no faster than the current segment fills: each step's sync is one more to wait
// for.
static bool is_ahead(const struct queue_log *l) {
    const struct queue_segment *s = l->current;
    return l->spares_n > 0 && s && l->filled > s->end + l->segment_size / 8;
}

static void prepare(void *arg) {
    struct queue_service *q = arg;
    struct err e;
    struct inflow in = {0};
    bool more = true, failed = false;
    while (more) {
        queue_look_at_disk(q);
        look_at_inflow(q, &in);
        if (q->low || !queue_space_wants(&q->log)) {
            more = pause(q, IDLE_MS);
        } else if (in.torrent || (in.any && is_ahead(&q->log))) {
            more = fiber_sleep(BUSY_MS) && !q->stopping;
        } else if (queue_space_fill_step(&q->log, &e)) {
            failed = false;
            more = fiber_sleep(STEP_MS) && !q->stopping;
        } else {
            if (!failed && e.smtp != 452)
                trouble(q, "segment-not-prepared", &e);
            failed = true;
            more = fiber_sleep(IDLE_MS) && !q->stopping;
        }
    }
}

bool queue_compact_start(struct queue_service *q, struct err *e) {
    queue_look_at_disk(q);
    return fiber_spawn(&q->group, "compact", compact, q, e) && fiber_spawn(&q->group, "prepare", prepare, q, e);
}
