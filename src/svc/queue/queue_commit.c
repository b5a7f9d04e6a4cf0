// queue_commit: group commit. Everything that came up in one turn of the loop is written with one call and made durable
// by one sync; only then is anybody answered. Records of a batch stand in this order: copies of compaction, whose state
// is that of the moment they were made; outcomes, which are later than those; new messages.
#include "svc/queue/queue_inside.h"

#include "base/mem.h"

#include <stdlib.h>

static void commit_task(struct loop_task *t) { queue_commit_now(LIST_ENTRY(t, struct queue_service, commit)); }

static void settle_fire(struct loop_timer *t) {
    struct queue_service *q = LIST_ENTRY(t, struct queue_service, settle_timer);
    loop_task_set(q->world->loop, &q->commit);
}

void queue_commit_init(struct queue_service *q) {
    list_init(&q->submits);
    list_init(&q->settles);
    list_init(&q->copies);
    q->commit.run = commit_task;
    q->settle_timer.fire = settle_fire;
}

static void set_settle_timer(struct queue_service *q, int64_t ms) {
    struct mono at = loop_in_ms(q->world->loop, ms);
    if (!q->stopping)
        loop_timer_set(q->world->loop, &q->settle_timer, at);
}

void queue_settle(struct queue_service *q, struct queue_message *m, const uint32_t *indices, size_t n) {
    struct queue_settle *s = mem_new(1, sizeof *s + n * sizeof *s->settled);
    struct log_recipient *recipients = mem_new(n, sizeof *recipients);
    s->message = m;
    s->payload.max = LOG_PAYLOAD_MAX;
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        recipients[i] = queue_recipient_log(m, indices[i]);
        s->settled[i] = (struct queue_settled){indices[i], recipients[i].state == LOG_RECIPIENT_FAILED};
    }
    log_outcome_pack(&s->payload, &(struct log_outcome){m->id, recipients, n});
    free(recipients);
    s->record = (struct queue_entry){.type = LOG_RECORD_OUTCOME, .reserved = true, .payload = buf_slice(&s->payload)};
    m->pins++;
    list_append(&q->settles, &s->entry);
    if (q->settles_n++ == 0)
        set_settle_timer(q, q->failing ? QUEUE_RETRY_MS : QUEUE_SETTLE_MS);
}

// --- before

static bool may_submit(struct queue_service *q, struct queue_submit *s, struct err *e) {
    if (q->stopping)
        return err_smtp(e, 451, "4.3.2", "the queue is shutting down");
    if (q->low)
        return err_smtp(e, 452, "4.3.1", "no room on the disk for more mail");
    if (!q->log.current && mono_before(loop_now(q->world->loop), q->open_again)) {
        *e = q->open_error;
        return false;
    }
    if (!queue_log_fits(&q->log, s->record.prefix.n + s->record.payload.n))
        return err_smtp(e, 552, "5.3.4", "the message is too large for the queue's log");
    return queue_accept_seal(q, s, e);
}

static void refuse(struct queue_service *q, struct queue_submit *s, const struct err *e) {
    list_remove(&s->entry);
    if (s->slot)
        queue_accept_free_slot(q, s->slot, true);
    queue_accept_answer(s, e);
}

static void refuse_what_cannot_be(struct queue_service *q) {
    LIST_EACH(at, &q->submits) {
        struct queue_submit *s = LIST_ENTRY(at, struct queue_submit, entry);
        struct err e;
        if (!may_submit(q, s, &e))
            refuse(q, s, &e);
    }
}

static void add_entry(struct queue_service *q, size_t *n, struct queue_entry *entry) {
    if (*n == q->entries_cap) {
        q->entries_cap = q->entries_cap ? 2 * q->entries_cap : 64;
        q->entries = mem_grow(q->entries, q->entries_cap, sizeof(struct queue_entry *));
    }
    entry->durable = false;
    q->entries[(*n)++] = entry;
}

static size_t gather(struct queue_service *q) {
    size_t n = 0;
    LIST_EACH(at, &q->copies) add_entry(q, &n, &LIST_ENTRY(at, struct queue_copy, entry)->record);
    LIST_EACH(at, &q->settles) add_entry(q, &n, &LIST_ENTRY(at, struct queue_settle, entry)->record);
    LIST_EACH(at, &q->submits) add_entry(q, &n, &LIST_ENTRY(at, struct queue_submit, entry)->record);
    return n;
}

// --- after

static void finish_copies(struct queue_service *q) {
    struct list *at;
    while ((at = list_shift(&q->copies))) {
        struct queue_copy *c = LIST_ENTRY(at, struct queue_copy, entry);
        if (c->record.durable)
            queue_compact_copied(q, c);
        buf_done(&c->payload);
        free(c);
    }
    q->copies_bytes = 0;
}

static void finish_settle(struct queue_service *q, struct queue_settle *s) {
    struct queue_message *m = s->message;
    for (size_t i = 0; i < s->n; i++)
        m->recipients[s->settled[i].index].known |= s->settled[i].failed;
    m->pins--;
    buf_done(&s->payload);
    free(s);
    queue_outcome_notify(q, m);
    queue_message_release(q, m);
}

static void finish_settles(struct queue_service *q) {
    LIST_EACH(at, &q->settles) {
        struct queue_settle *s = LIST_ENTRY(at, struct queue_settle, entry);
        if (!s->record.durable)
            continue; // written again with the next batch
        list_remove(&s->entry);
        q->settles_n--;
        finish_settle(q, s);
    }
}

static void log_queued(struct queue_service *q, const struct queue_message *m, const struct envelope *env) {
    char id[QUEUE_ID_TEXT];
    queue_id_print(m->id, id);
    journal_event(q->world->journal, JOURNAL_INFO, "message-queued", JOURNAL_STR("id", slice_of(id, sizeof id)),
                  JOURNAL_STR("session", env->session), JOURNAL_UINT("size", m->size),
                  JOURNAL_UINT("recipients", m->recipients_n), JOURNAL_STR("from", env->sender),
                  JOURNAL_STR("client", env->client));
}

static struct queue_message *begin_message(struct queue_service *q, struct queue_submit *s) {
    uint64_t file = s->slot ? s->slot->file : 0, size = s->slot ? s->slot->size : s->m.content.n;
    struct queue_message *m = queue_message_make(q, &s->m, file, size, &s->record.place);
    m->start = s->slot ? s->slot->start : 0;
    m->hot = s->record.payload.p;
    log_queued(q, m, &s->m.envelope);
    if (s->slot)
        queue_accept_free_slot(q, s->slot, false);
    queue_message_schedule(q, m);
    return m;
}

// Attempts that may begin at once take the message from the link's memory instead of reading the log.
static void finish_submits(struct queue_service *q, const struct err *e) {
    struct list *last = q->index.all.prev;
    struct list *at;
    LIST_EACH(each, &q->submits) {
        struct queue_submit *s = LIST_ENTRY(each, struct queue_submit, entry);
        if (s->record.durable)
            begin_message(q, s);
    }
    queue_pump(q);
    for (struct list *m = last->next; m != &q->index.all; m = m->next)
        LIST_ENTRY(m, struct queue_message, entry)->hot = NULL;
    while ((at = list_shift(&q->submits))) {
        struct queue_submit *s = LIST_ENTRY(at, struct queue_submit, entry);
        if (!s->record.durable && s->slot)
            queue_accept_free_slot(q, s->slot, true);
        queue_accept_answer(s, s->record.durable ? NULL : e);
    }
}

static void log_failure(struct queue_service *q, const struct err *e) {
    if (e->smtp == 452 && q->failing)
        return; // said already
    if (e->smtp == 452)
        journal_event(q->world->journal, JOURNAL_ERROR, "disk-full", JOURNAL_ERR(e));
    else
        journal_event(q->world->journal, JOURNAL_ERROR, "sync-failed", JOURNAL_ERR(e));
}

void queue_commit_now(struct queue_service *q) {
    struct err e;
    refuse_what_cannot_be(q);
    size_t n = gather(q);
    if (n == 0)
        return;
    loop_timer_stop(q->world->loop, &q->settle_timer);
    struct wall before = world_wall(q->world);
    bool ok = queue_log_write(&q->log, q->entries, n, &e);
    metric_observe(&q->metric, METRIC_SYNC_SECONDS, 0, (world_wall(q->world).ms - before.ms) * 1000000);
    if (!ok && e.kind != ERR_CANCELLED)
        log_failure(q, &e);
    q->failing = !ok;
    q->failed = loop_now(q->world->loop);
    if (!ok && !q->log.current) {
        q->open_again = loop_in_ms(q->world->loop, QUEUE_RETRY_MS);
        q->open_error = e;
    }
    finish_copies(q);
    finish_settles(q);
    finish_submits(q, &e);
    if (!ok && q->settles_n > 0)
        set_settle_timer(q, QUEUE_RETRY_MS);
    queue_compact_look(q);
}
