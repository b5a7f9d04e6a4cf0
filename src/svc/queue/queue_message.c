// queue_message: a record becomes a message in memory, when it was written and when the log is read at the start; its
// bytes are read again when an attempt wants them; it is forgotten when all its outcomes are durable.
#include "svc/queue/queue_inside.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

// --- making

// Recipients' destinations, and how many groups that makes.
static size_t find_destinations(struct queue_service *q, const struct envelope *env, struct queue_destination **to) {
    size_t groups = 0;
    uint64_t mark = ++q->schedule.mark;
    for (size_t i = 0; i < env->recipients_n; i++) {
        struct arena_mark before = arena_mark(&q->arena);
        struct queue_destination *d = queue_schedule_find(&q->schedule, env->recipients[i].address, &q->arena);
        arena_rewind(&q->arena, before);
        if (d->mark != mark) {
            d->mark = mark;
            d->mark_recipients = 0;
        }
        if (d->mark_recipients++ % QUEUE_GROUP_MAX == 0)
            groups++;
        to[i] = d;
    }
    return groups;
}

static void put_into_groups(struct queue_service *q, struct queue_message *m, struct queue_destination **destinations) {
    size_t groups = 0;
    uint64_t mark = ++q->schedule.mark;
    for (size_t i = 0; i < m->recipients_n; i++) {
        struct queue_destination *d = destinations[i];
        if (d->mark != mark) {
            d->mark = mark;
            d->mark_recipients = 0;
        }
        if (d->mark_recipients++ % QUEUE_GROUP_MAX == 0) {
            d->mark_group = (uint32_t)groups++;
            queue_schedule_assign(&m->groups[d->mark_group], d);
        }
        m->recipients[i].group = (uint16_t)d->mark_group;
        m->groups[d->mark_group].open++;
    }
    assert(groups == m->groups_n);
    q->schedule.counts[MESSAGE_RECIPIENT_READY] += m->recipients_n;
}

struct queue_message *queue_message_make(struct queue_service *q, const struct message_submit *submit, uint64_t file,
                                         uint64_t size, const struct queue_place *place) {
    const struct envelope *env = &submit->envelope;
    struct queue_destination *few[16];
    struct queue_destination **destinations = few;
    if (env->recipients_n > sizeof few / sizeof *few)
        destinations = mem_new(env->recipients_n, sizeof *destinations);
    size_t groups = find_destinations(q, env, destinations);
    struct queue_message *m = queue_index_add(&q->index, submit->queue_id, env->recipients_n, groups);
    put_into_groups(q, m, destinations);
    if (destinations != few)
        free(destinations);
    m->size = size;
    m->file = file;
    m->arrived = env->arrived;
    m->flags = env->flags;
    m->null_sender = env->sender.n == 0;
    q->index.bytes += size;
    queue_index_place(m, place);
    return m;
}

static void apply_one(struct queue_service *q, struct queue_message *m, const struct log_recipient *r) {
    struct queue_recipient *to = &m->recipients[r->index];
    struct queue_group *g = &m->groups[to->group];
    enum log_recipient_state state = r->state;
    if (state == LOG_RECIPIENT_FAILED && !queue_message_tells(m))
        state = LOG_RECIPIENT_DONE;
    if (to->state == LOG_RECIPIENT_OPEN && state != LOG_RECIPIENT_OPEN)
        queue_schedule_close_recipient(&q->schedule, g);
    if (to->state != LOG_RECIPIENT_DONE && state == LOG_RECIPIENT_DONE)
        m->open--;
    if (to->state <= (uint8_t)state)
        to->state = (uint8_t)state;
    to->known = to->state == LOG_RECIPIENT_FAILED;
    if (r->attempts > g->attempts)
        g->attempts = r->attempts;
    if (r->next.ms > g->next.ms)
        g->next = r->next;
    queue_reason_set(&q->index, &to->reason, r);
}

void queue_message_apply(struct queue_service *q, struct queue_message *m, const struct log_recipient *r, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (r[i].index < m->recipients_n)
            apply_one(q, m, &r[i]);
}

// --- scheduling

static struct mono mono_of(const struct queue_service *q, struct wall t) {
    int64_t ms = t.ms - world_wall(q->world).ms, most = 2 * q->config->queue.retry_most + q->config->queue.expire;
    return loop_in_ms(q->world->loop, ms < 0 ? 0 : ms > most ? most : ms);
}

static struct mono expiry(const struct queue_service *q, const struct queue_message *m) {
    return mono_of(q, wall_add_ms(m->arrived, q->config->queue.expire));
}

bool queue_message_holds(const struct queue_message *m, const struct queue_group *g) {
    return (m->flags & ENVELOPE_HOLD) && g != m->notify && g->attempts == 0 && g->next.ms == 0;
}

void queue_message_let_go(struct queue_service *q, struct queue_group *g) { g->next = world_wall(q->world); }

static void schedule_group(struct queue_service *q, struct queue_group *g) {
    if (g->open == 0)
        queue_schedule_forget(&q->schedule, g);
    else if (g->destination->target == QUEUE_TARGET_HOLD || queue_message_holds(g->message, g))
        queue_schedule_set_state(&q->schedule, g, MESSAGE_RECIPIENT_HELD);
    else if (g->next.ms > world_wall(q->world).ms)
        queue_schedule_defer(&q->schedule, g, g->next, mono_of(q, g->next));
    else
        queue_schedule_ready(&q->schedule, g, expiry(q, g->message));
}

void queue_message_schedule(struct queue_service *q, struct queue_message *m) {
    for (size_t i = 0; i < m->groups_n; i++)
        schedule_group(q, &m->groups[i]);
    queue_outcome_notify(q, m);
    queue_outcome_set_timer(q);
    queue_pump_soon(q);
}

// --- the log at the start

static void forget_groups(struct queue_service *q, struct queue_message *m) {
    for (size_t i = 0; i < m->groups_n; i++)
        queue_schedule_forget(&q->schedule, &m->groups[i]);
    if (m->notify)
        queue_schedule_forget(&q->schedule, m->notify);
}

static void drop(struct queue_service *q, struct queue_message *m) {
    forget_groups(q, m);
    queue_index_remove(&q->index, m);
}

static void replay_message(struct queue_service *q, const struct log_record *r, const struct queue_place *place) {
    struct message_submit submit;
    struct log_state state = {0};
    struct slice prefix = slice_upto(r->payload, r->prefix);
    // What we wrote and what carries our checksum is whole; a later version's record is not ours to guess at.
    if (!message_submit_unpack(slice_from(r->payload, r->prefix), &q->arena, &submit) ||
        (r->type == LOG_RECORD_STATE && !log_state_unpack(prefix, &q->arena, &state)))
        return;
    struct queue_message *old = queue_index_find(&q->index, submit.queue_id);
    if (old)
        drop(q, old);
    struct queue_message *m =
        queue_message_make(q, &submit, state.file, state.file ? state.size : submit.content.n, place);
    m->start = state.start;
    queue_message_apply(q, m, state.recipients, state.recipients_n);
}

static void replay_outcome(struct queue_service *q, const struct log_record *r) {
    struct log_outcome outcome;
    if (!log_outcome_unpack(r->payload, &q->arena, &outcome))
        return;
    struct queue_message *m = queue_index_find(&q->index, outcome.queue_id);
    if (!m)
        return;
    queue_message_apply(q, m, outcome.recipients, outcome.recipients_n);
    if (m->open == 0)
        drop(q, m);
}

void queue_replay_record(void *service, const struct log_record *r, const struct queue_place *place) {
    struct queue_service *q = service;
    if (r->type == LOG_RECORD_OUTCOME)
        replay_outcome(q, r);
    else
        replay_message(q, r, place);
    arena_reset(&q->arena);
}

void queue_replay_damage(void *service, const struct queue_damage_report *report) {
    struct queue_service *q = service;
    static const char *const names[] = {[QUEUE_DAMAGE_RECORDS] = "log-damaged",
                                        [QUEUE_DAMAGE_SEGMENT] = "log-segment-damaged",
                                        [QUEUE_DAMAGE_GONE] = "log-segment-gone",
                                        [QUEUE_DAMAGE_TAIL] = "log-tail-cut"};
    enum journal_level level = report->what == QUEUE_DAMAGE_TAIL ? JOURNAL_INFO : JOURNAL_ERROR;
    const struct journal_field fields[] = {
        JOURNAL_UINT("segment", report->segment), JOURNAL_UINT("offset", report->offset),
        JOURNAL_UINT("length", report->length), journal_opt(SLICE("kept"), slice_str(report->kept))};
    journal_write(q->world->journal, level, slice_str(names[report->what]), fields, sizeof fields / sizeof *fields);
}

// --- its bytes

static bool malformed(struct err *e) { return err_set(e, ERR_TEMPORARY, "the queue's record of it is damaged"); }

// The whole record, its checksum looked at: what rots on the disk must not go out as mail.
static bool read_record(struct queue_message *m, struct buf *b, struct slice *submit, struct err *e) {
    struct queue_place head = m->place;
    struct log_record r;
    size_t size = log_record_size(m->place.length), got;
    buf_reset(b);
    char *to = buf_reserve(b, size);
    if (!to)
        return err_set(e, ERR_TEMPORARY, "no memory for a message");
    if (!disk_file_read(head.segment->file, to, size, head.offset - LOG_RECORD_HEADER, &got, e))
        return err_while(e, "reading the queue log");
    buf_commit(b, got);
    if (log_record_parse(buf_slice(b), &head.segment->head, 0, &r, &size) != LOG_RECORD_WHOLE ||
        r.payload.n != head.length)
        return malformed(e);
    *submit = slice_from(r.payload, head.prefix);
    return true;
}

bool queue_message_load(struct queue_message *m, struct buf *b, struct arena *arena, struct message_submit *out,
                        struct err *e) {
    struct slice submit = slice_of(m->hot, m->place.length - m->place.prefix);
    if (!m->hot && !read_record(m, b, &submit, e))
        return false;
    return message_submit_unpack(submit, arena, out) || malformed(e);
}

bool queue_message_envelope(struct queue_message *m, struct arena *arena, struct message_submit *out, struct err *e) {
    size_t n = m->place.length - m->place.prefix - (m->file ? 0 : (size_t)m->size);
    char *to = arena_alloc(arena, n);
    if (!to)
        return err_set(e, ERR_TEMPORARY, "no memory for an envelope");
    if (!queue_log_read(&m->place, m->place.prefix, to, n, e))
        return false;
    return message_submit_unpack(slice_of(to, n), arena, out) || malformed(e);
}

static bool read_file(struct queue_service *q, uint64_t file, uint64_t offset, char *to, size_t n, struct err *e) {
    char name[QUEUE_NAME];
    struct disk_file *f;
    size_t got = 0;
    queue_big_name(name, file);
    if (!disk_open(q->world->disk, name, DISK_READ, &f, e))
        return false;
    bool ok = disk_file_read(f, to, n, offset, &got, e);
    disk_file_close(f);
    return ok && (got == n || err_set(e, ERR_TEMPORARY, "the file of a large message is shorter than it was"));
}

bool queue_message_content(struct queue_service *q, struct queue_message *m, uint64_t offset, size_t n, struct buf *b,
                           struct err *e) {
    if (offset >= m->size || n == 0)
        return true;
    if (n > m->size - offset)
        n = (size_t)(m->size - offset);
    if (n == 0)
        return true;
    char *to = buf_reserve(b, n);
    if (!to)
        return err_set(e, ERR_TEMPORARY, "no memory for content");
    bool ok = m->file ? read_file(q, m->file, m->start + offset, to, n, e)
                      : queue_log_read(&m->place, m->place.length - (size_t)m->size + (size_t)offset, to, n, e);
    if (ok)
        buf_commit(b, n);
    return ok;
}

// --- the end

void queue_message_release(struct queue_service *q, struct queue_message *m) {
    char id[QUEUE_ID_TEXT];
    if (m->open > 0 || m->pins > 0)
        return;
    queue_id_print(m->id, id);
    journal_event(q->world->journal, JOURNAL_INFO, "message-removed", JOURNAL_STR("id", slice_of(id, sizeof id)));
    if (m->file)
        queue_big_remove(q, m->file);
    drop(q, m);
}
