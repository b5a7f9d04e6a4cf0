// queue_admin: people list, show, release and delete; and the metrics.
#include "svc/queue/queue_inside.h"

#include "base/mem.h"
#include "svc/metrics.h"

#include <stdlib.h>

enum {
    REPLY_MAX = 6 * 1024 * 1024, // bytes of an answer; a list stops earlier
    LIST_BYTES = 512 * 1024,     // of envelopes, then a list's page ends
    LIST_MAX = 1000,
    HEADER_MAX = 32 * 1024,
    FAILED_LATELY_MS = 10000,
};

static void answer(struct queue_peer *p, uint64_t frame_id, const struct message_queue_reply *r) {
    BUF_AUTO struct buf b = {.max = REPLY_MAX};
    static const struct message_queue_reply nothing;
    if (!message_queue_reply_pack(&b, r)) {
        buf_reset(&b);
        message_queue_reply_pack(&b, &nothing);
    }
    link_send1(p->base.link, LINK_QUEUE_REPLY, frame_id, buf_slice(&b));
}

// --- looking

// Word for word, and who said so: "mx.example.net[192.0.2.1]:25 said: 450 4.2.1 try again".
static struct slice reason_text(const struct queue_reason *r, struct arena *arena) {
    if (!r || !r->smtp || !r->remote.n)
        return r ? r->text : SLICE_EMPTY;
    return arena_printf(arena, "%.*s said: %u %u.%u.%u %.*s", SLICE_ARG(r->remote), r->smtp, r->enhanced[0],
                        r->enhanced[1], r->enhanced[2], SLICE_ARG(r->text));
}

// `by_guard`: what is held is a user's.
static void describe_recipient(const struct queue_message *m, size_t i, const struct envelope_recipient *address,
                               bool by_guard, struct arena *arena, struct message_queue_recipient *out) {
    const struct queue_recipient *r = &m->recipients[i];
    const struct queue_group *g = &m->groups[r->group];
    const struct queue_destination *d = g->destination;
    *out = (struct message_queue_recipient){.address = address->address,
                                            .original = address->original,
                                            .state = (enum message_recipient_state)g->state,
                                            .attempts = g->attempts,
                                            .next_attempt = g->next,
                                            .reason = reason_text(r->reason, arena),
                                            .destination = d ? d->name : SLICE_EMPTY};
    if (queue_message_holds(m, g))
        out->reason = by_guard ? SLICE("held by the guard: see posthouse guard list")
                               : SLICE("held by policy or a filter: see posthouse explain and its id");
    if (r->state == LOG_RECIPIENT_DONE)
        out->state = MESSAGE_RECIPIENT_DONE;
    else if (r->state == LOG_RECIPIENT_FAILED)
        out->state = MESSAGE_RECIPIENT_FAILED;
    else if (g->state == MESSAGE_RECIPIENT_READY && d->blocked) { // waits with all others for its dead destination
        out->state = MESSAGE_RECIPIENT_DEFERRED;
        out->next_attempt = d->back_at;
        out->reason = d->reason ? reason_text(d->reason, arena) : out->reason;
    }
}

static bool describe(struct queue_message *m, struct arena *arena, struct message_queue_entry *out) {
    struct message_submit submit;
    struct err e;
    if (!queue_message_envelope(m, arena, &submit, &e))
        return false;
    *out = (struct message_queue_entry){.queue_id = m->id,
                                        .size = m->size,
                                        .arrived = m->arrived,
                                        .sender = submit.envelope.sender,
                                        .tags = submit.envelope.tags,
                                        .tags_n = submit.envelope.tags_n,
                                        .recipients_n = m->recipients_n};
    out->recipients = arena_alloc(arena, m->recipients_n * sizeof *out->recipients);
    if (!out->recipients)
        return false;
    for (size_t i = 0; i < m->recipients_n; i++)
        describe_recipient(m, i, &submit.envelope.recipients[i], submit.envelope.user.n > 0, arena,
                           &out->recipients[i]);
    return true;
}

// The first one behind `id` by arrival. The one that a page ended with may be gone by the next.
static struct list *list_after(struct queue_service *q, uint64_t id) {
    struct queue_message *last = queue_index_find(&q->index, id);
    if (id == 0 || last)
        return last ? last->entry.next : q->index.all.next;
    LIST_EACH(at, &q->index.all) if (LIST_ENTRY(at, struct queue_message, entry)->id > id) return at;
    return &q->index.all;
}

static void list_page(struct queue_peer *p, const struct link_frame *f, const struct message_queue_query *query) {
    ARENA_AUTO struct arena arena = {.max = QUEUE_ARENA_MAX};
    struct queue_service *q = p->q;
    size_t limit = query->limit < LIST_MAX ? query->limit : LIST_MAX;
    struct message_queue_reply r = {.count = q->index.messages.n};
    struct list *at = list_after(q, query->queue_id);
    r.entries = arena_alloc(&arena, (limit + 1) * sizeof *r.entries);
    for (; at != &q->index.all && r.entries_n < limit && arena.total < LIST_BYTES; at = at->next) {
        struct queue_message *m = LIST_ENTRY(at, struct queue_message, entry);
        if (m->open) // else all is done but for the last outcome's way to the disk
            r.entries_n += describe(m, &arena, &r.entries[r.entries_n]);
    }
    r.more = at != &q->index.all;
    answer(p, f->id, &r);
}

static void show(struct queue_peer *p, const struct link_frame *f, const struct message_queue_query *query) {
    ARENA_AUTO struct arena arena = {.max = QUEUE_ARENA_MAX};
    BUF_AUTO struct buf header = {.max = HEADER_MAX};
    struct queue_message *m = queue_index_find(&p->q->index, query->queue_id);
    struct message_queue_entry entry;
    struct message_queue_reply r = {.count = p->q->index.messages.n, .entries = &entry};
    struct err e;
    r.entries_n = m && describe(m, &arena, &entry);
    if (m && queue_message_content(p->q, m, 0, HEADER_MAX, &header, &e)) {
        size_t end = slice_search(buf_slice(&header), SLICE("\r\n\r\n"));
        r.header = slice_upto(buf_slice(&header), end + 2);
    }
    answer(p, f->id, &r);
}

// --- steering

// Which recipients are meant. NULL: none, or it can't be told.
static bool *matches(struct queue_message *m, struct slice domain) {
    bool *meant = mem_new(m->recipients_n, sizeof *meant);
    ARENA_AUTO struct arena arena = {.max = QUEUE_ARENA_MAX};
    struct message_submit submit;
    struct err e;
    if (domain.n && !queue_message_envelope(m, &arena, &submit, &e))
        return meant;
    for (size_t i = 0; i < m->recipients_n; i++) {
        struct slice address = domain.n ? submit.envelope.recipients[i].address : SLICE_EMPTY;
        meant[i] = !domain.n || slice_ieq(slice_from(address, slice_rfind(address, '@') + 1), domain);
    }
    return meant;
}

static void release_group(struct queue_service *q, struct queue_group *g) {
    if (g->state == MESSAGE_RECIPIENT_HELD && g->destination->target == QUEUE_TARGET_HOLD) {
        struct queue_destination *held = g->destination;
        queue_schedule_assign(g, queue_schedule_released(&q->schedule, held));
        queue_schedule_drop_unused(&q->schedule, held);
    }
    queue_schedule_unblock(&q->schedule, g->destination);
    if (g->state == MESSAGE_RECIPIENT_DEFERRED || g->state == MESSAGE_RECIPIENT_HELD)
        queue_schedule_ready(&q->schedule, g, MONO_NEVER);
}

static bool is_waiting(const struct queue_group *g) {
    return g->destination && (g->state == MESSAGE_RECIPIENT_DEFERRED || g->state == MESSAGE_RECIPIENT_HELD ||
                              (g->state == MESSAGE_RECIPIENT_READY && g->destination->blocked));
}

// What the guard held is let go for good: a restart must not hold it again.
static bool let_go(struct queue_service *q, struct queue_message *m, const bool *meant) {
    uint32_t *indices = mem_new(m->recipients_n, sizeof *indices);
    size_t n = 0;
    for (size_t i = 0; i < m->recipients_n; i++) {
        struct queue_group *g = &m->groups[m->recipients[i].group];
        if (meant[i] && m->recipients[i].state == LOG_RECIPIENT_OPEN && queue_message_holds(m, g))
            indices[n++] = (uint32_t)i;
    }
    for (size_t i = 0; i < n; i++)
        queue_message_let_go(q, &m->groups[m->recipients[indices[i]].group]);
    if (n > 0)
        queue_settle(q, m, indices, n);
    free(indices);
    return n > 0;
}

// `held`: only what the guard held, and no further than a route of `hold`.
static bool retry(struct queue_service *q, struct queue_message *m, const bool *meant, bool held) {
    bool any = let_go(q, m, meant);
    for (size_t i = 0; i < m->recipients_n; i++) {
        struct queue_group *g = &m->groups[m->recipients[i].group];
        if (!meant[i] || m->recipients[i].state != LOG_RECIPIENT_OPEN || !is_waiting(g) ||
            (held && g->destination->target == QUEUE_TARGET_HOLD))
            continue;
        release_group(q, g);
        any = true;
    }
    if (!held && m->notify && is_waiting(m->notify)) {
        release_group(q, m->notify);
        any = true;
    }
    return any;
}

static void log_deleted(struct queue_service *q, const struct queue_message *m, size_t n) {
    char id[QUEUE_ID_TEXT];
    queue_id_print(m->id, id);
    journal_event(q->world->journal, JOURNAL_INFO, "deleted", JOURNAL_STR("id", slice_of(id, sizeof id)),
                  JOURNAL_UINT("recipients", n));
    queue_history_tell(q, RECORD_DISCARDED, m, SLICE_EMPTY,
                       &(struct log_recipient){.reason = SLICE("by hand, without a bounce")}, SLICE_EMPTY);
    metric_add_at(&q->metric, METRIC_BOUNCED, METRIC_BOUNCE_DELETED, n);
}

// An attempt that is under way ends as it ends; its outcome for these changes nothing any more.
static bool delete (struct queue_service *q, struct queue_message *m, const bool *meant) {
    uint32_t *indices = mem_new(m->recipients_n, sizeof *indices);
    size_t n = 0;
    for (uint32_t i = 0; i < m->recipients_n; i++) {
        struct queue_recipient *r = &m->recipients[i];
        struct queue_group *g = &m->groups[r->group];
        if (!meant[i] || r->state == LOG_RECIPIENT_DONE)
            continue;
        if (r->state == LOG_RECIPIENT_OPEN)
            queue_schedule_close_recipient(&q->schedule, g);
        r->state = LOG_RECIPIENT_DONE;
        m->open--;
        if (g->open == 0 && g->state != MESSAGE_RECIPIENT_ACTIVE)
            queue_schedule_forget(&q->schedule, g);
        indices[n++] = i;
    }
    if (n > 0) {
        log_deleted(q, m, n);
        queue_settle(q, m, indices, n);
    }
    free(indices);
    return n > 0;
}

// Which recipients of a user's message the guard holds; NULL when it is another one's, or none.
static bool *held_of(struct queue_message *m, struct slice user) {
    ARENA_AUTO struct arena arena = {.max = QUEUE_ARENA_MAX};
    struct message_submit submit;
    struct err e;
    if (!(m->flags & ENVELOPE_HOLD) || !queue_message_envelope(m, &arena, &submit, &e) ||
        !slice_eq(submit.envelope.user, user))
        return NULL;
    bool *meant = mem_new(m->recipients_n, sizeof *meant);
    for (size_t i = 0; i < m->recipients_n; i++)
        meant[i] = queue_message_holds(m, &m->groups[m->recipients[i].group]);
    return meant;
}

static bool act_on(struct queue_service *q, enum link_type type, struct queue_message *m,
                   const struct message_queue_query *query) {
    bool held = query->user.n > 0;
    bool *meant = held ? held_of(m, query->user) : matches(m, query->destination);
    bool done = meant && (type == LINK_QUEUE_RETRY ? retry(q, m, meant, held) : delete (q, m, meant));
    free(meant);
    return done;
}

static void act(struct queue_peer *p, const struct link_frame *f, const struct message_queue_query *query) {
    struct queue_service *q = p->q;
    struct message_queue_reply r = {0};
    struct queue_message *one = queue_index_find(&q->index, query->queue_id);
    if (one)
        r.count = act_on(q, f->type, one, query);
    LIST_EACH(at, &q->index.all) {
        if (query->queue_id)
            break;
        r.count += act_on(q, f->type, LIST_ENTRY(at, struct queue_message, entry), query);
    }
    queue_commit_now(q); // said when it is so
    queue_outcome_set_timer(q);
    queue_pump_soon(q);
    answer(p, f->id, &r);
}

// --- metrics

// A batch that failed is old news when there is room again, or when nobody has tried for a while.
static bool refuses(const struct queue_service *q) {
    bool lately = mono_before(loop_now(q->world->loop), mono_add_ms(q->failed, FAILED_LATELY_MS));
    bool room = q->log.spares_n > 1 || q->free_bytes >= q->log.segment_size + q->log.reserve;
    return q->low || (q->failing && (lately || !room));
}

static void observe(struct queue_service *q) {
    struct metric *m = &q->metric;
    const struct queue_schedule *s = &q->schedule;
    const struct queue_log_counts *c = &q->log.counts;
    struct list *oldest = q->index.all.next;
    int64_t age = 0;
    if (oldest != &q->index.all)
        age = world_wall(q->world).ms - LIST_ENTRY(oldest, struct queue_message, entry)->arrived.ms;
    metric_set(m, METRIC_QUEUE_MESSAGES, (int64_t)q->index.messages.n);
    metric_set_at(m, METRIC_QUEUE_RECIPIENTS, METRIC_STATE_ACTIVE, (int64_t)s->counts[MESSAGE_RECIPIENT_ACTIVE]);
    metric_set_at(m, METRIC_QUEUE_RECIPIENTS, METRIC_STATE_READY, (int64_t)s->counts[MESSAGE_RECIPIENT_READY]);
    metric_set_at(m, METRIC_QUEUE_RECIPIENTS, METRIC_STATE_DEFERRED, (int64_t)s->counts[MESSAGE_RECIPIENT_DEFERRED]);
    metric_set_at(m, METRIC_QUEUE_RECIPIENTS, METRIC_STATE_HELD, (int64_t)s->counts[MESSAGE_RECIPIENT_HELD]);
    metric_set(m, METRIC_QUEUE_DESTINATIONS, (int64_t)s->destinations.n - 1);
    metric_set(m, METRIC_QUEUE_BYTES, (int64_t)q->index.bytes);
    metric_set(m, METRIC_QUEUE_OLDEST, age * 1000000);
    metric_set(m, METRIC_QUEUE_FREE, q->free_bytes > INT64_MAX ? 0 : (int64_t)q->free_bytes);
    metric_set(m, METRIC_QUEUE_REFUSES, refuses(q));
    metric_set_at(m, METRIC_LOG_SYNCS, METRIC_RESULT_OK, (int64_t)c->syncs);
    metric_set_at(m, METRIC_LOG_SYNCS, METRIC_RESULT_FAILED, (int64_t)c->syncs_failed);
    metric_set(m, METRIC_LOG_RECORDS, (int64_t)c->records);
    metric_set(m, METRIC_LOG_BYTES, (int64_t)c->bytes);
    metric_set(m, METRIC_LOG_DAMAGED, (int64_t)c->damaged);
    metric_set_at(m, METRIC_LOG_SEGMENTS, METRIC_SEGMENT_LIVE, (int64_t)q->log.segments_n);
    metric_set_at(m, METRIC_LOG_SEGMENTS, METRIC_SEGMENT_SPARE, (int64_t)q->log.spares_n);
}

void queue_admin_frame(struct queue_peer *p, const struct link_frame *f) {
    struct message_queue_query query;
    if (f->type == LINK_METRICS) {
        observe(p->q);
        metrics_answer(&p->q->metric, p->q->world, &p->base, f);
    } else if (!message_queue_query_unpack(f->payload, &query)) {
        link_break(p->base.link, "a malformed question");
    } else if (f->type == LINK_QUEUE_LIST) {
        list_page(p, f, &query);
    } else if (f->type == LINK_QUEUE_SHOW) {
        show(p, f, &query);
    } else {
        act(p, f, &query);
    }
}
