// queue_outcome: what becomes of each recipient: delivered, tried again later, or given up; then its sender is told,
// once that is durable, unless there is nobody to tell (RFC 5321 4.5.5, 6.1).
//
//     OPEN -delivered-> DONE
//     OPEN -deferred--> OPEN, or as failed when the message has expired
//     OPEN -failed----> FAILED -told-> DONE; or DONE at once where nobody is to be told
#include "svc/queue/queue_inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXPIRY_AGAIN_MS = MS_MINUTE };

bool queue_expired(const struct queue_service *q, const struct queue_message *m) {
    return world_wall(q->world).ms - m->arrived.ms >= q->config->queue.expire;
}

// --- one recipient

static unsigned transport_of(const struct queue_group *g) {
    return g->destination && g->destination->role == ROLE_DELIVER ? METRIC_TRANSPORT_MAILDIR : METRIC_TRANSPORT_RELAY;
}

static void log_outcome(struct queue_service *q, enum journal_level level, struct slice event,
                        const struct queue_message *m, uint32_t index, struct slice address,
                        const struct log_recipient *r, const struct queue_how *how) {
    char id[QUEUE_ID_TEXT], status[24];
    queue_id_print(m->id, id);
    int n = snprintf(status, sizeof status, "%u.%u.%u", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
    const struct queue_group *g = &m->groups[m->recipients[index].group];
    const struct journal_field fields[] = {
        JOURNAL_STR("id", slice_of(id, sizeof id)),
        JOURNAL_UINT("attempt", g->attempts),
        JOURNAL_UINT("smtp", r->smtp),
        JOURNAL_STR("dsn", slice_of(status, (size_t)n)),
        {.name = SLICE("delay"), .type = JOURNAL_TYPE_MS, .i = world_wall(q->world).ms - m->arrived.ms},
        {.name = SLICE("connect"), .type = JOURNAL_TYPE_MS, .i = how ? how->ms_connect : 0},
        {.name = SLICE("transfer"), .type = JOURNAL_TYPE_MS, .i = how ? how->ms_transfer : 0},
        JOURNAL_UINT("connection-use", how ? how->connection_use : 0),
        {.name = SLICE("tls"), .type = JOURNAL_TYPE_BOOL, .b = how && how->tls},
        journal_opt(SLICE("relay"), how ? how->remote : SLICE_EMPTY),
        JOURNAL_STR("to", address),
        journal_opt(SLICE("reply"), r->reason),
    };
    journal_write(q->world->journal, level, event, fields, sizeof fields / sizeof *fields);
}

static void close_recipient(struct queue_service *q, struct queue_message *m, struct queue_recipient *r,
                            enum log_recipient_state state) {
    queue_schedule_close_recipient(&q->schedule, &m->groups[r->group]);
    r->state = (uint8_t)state;
    if (state == LOG_RECIPIENT_DONE)
        m->open--;
}

static void give_up(struct queue_service *q, struct queue_message *m, uint32_t index, struct slice address,
                    const struct log_recipient *why, const struct queue_how *how) {
    bool tells = queue_message_tells(m);
    log_outcome(q, JOURNAL_INFO, why->expired ? SLICE("expired") : SLICE("failed"), m, index, address, why, how);
    queue_history_tell(q, why->expired ? RECORD_EXPIRED : RECORD_BOUNCED, m, address, why, why->remote);
    metric_add_at(&q->metric, METRIC_BOUNCED, why->expired ? METRIC_BOUNCE_EXPIRED : METRIC_BOUNCE_FAILED, 1);
    queue_reason_set(&q->index, &m->recipients[index].reason, why);
    close_recipient(q, m, &m->recipients[index], tells ? LOG_RECIPIENT_FAILED : LOG_RECIPIENT_DONE);
    if (tells)
        return;
    log_outcome(q, JOURNAL_INFO, SLICE("bounce-dropped"), m, index, address, why, NULL);
    metric_add(&q->metric, METRIC_BOUNCES_DROPPED, 1);
}

void queue_outcome_recipient(struct queue_service *q, struct queue_message *m, uint32_t index, struct slice address,
                             const struct message_outcome_recipient *o, const struct queue_how *how) {
    struct queue_recipient *r = &m->recipients[index];
    struct log_recipient l = {.index = index,
                              .smtp = o->smtp,
                              .enhanced = {o->enhanced[0], o->enhanced[1], o->enhanced[2]},
                              .reason = o->reason,
                              .remote = how->remote};
    unsigned transport = transport_of(&m->groups[r->group]);
    if (r->state != LOG_RECIPIENT_OPEN)
        return; // deleted meanwhile
    metric_observe(&q->metric, METRIC_ATTEMPT_SECONDS, transport, how->ms_total * 1000000);
    if (o->result == MESSAGE_DELIVERED) {
        log_outcome(q, JOURNAL_INFO, SLICE("delivered"), m, index, address, &l, how);
        queue_history_tell(q, RECORD_DELIVERED, m, address, &l, how->remote);
        metric_add_at(&q->metric, METRIC_DELIVERED, transport, 1);
        metric_observe(&q->metric, METRIC_TRANSIT_SECONDS, 0, (world_wall(q->world).ms - m->arrived.ms) * 1000000);
        close_recipient(q, m, r, LOG_RECIPIENT_DONE);
    } else if (o->result == MESSAGE_FAILED || queue_expired(q, m)) {
        l.expired = o->result != MESSAGE_FAILED;
        give_up(q, m, index, address, &l, how);
    } else {
        log_outcome(q, JOURNAL_INFO, SLICE("deferred"), m, index, address, &l, how);
        queue_history_tell(q, RECORD_DEFERRED, m, address, &l, how->remote);
        metric_add_at(&q->metric, METRIC_DEFERRED, transport, 1);
        queue_reason_set(&q->index, &r->reason, &l);
    }
}

// --- telling the sender

void queue_outcome_told(struct queue_service *q, struct queue_message *m, uint32_t index, struct slice address,
                        const struct message_outcome_recipient *o) {
    struct queue_recipient *r = &m->recipients[index];
    struct log_recipient l = {
        .smtp = o->smtp, .enhanced = {o->enhanced[0], o->enhanced[1], o->enhanced[2]}, .reason = o->reason};
    if (r->state != LOG_RECIPIENT_FAILED || o->result == MESSAGE_DEFERRED)
        return;
    bool told = o->result == MESSAGE_DELIVERED;
    log_outcome(q, JOURNAL_INFO, told ? SLICE("bounced") : SLICE("bounce-dropped"), m, index, address, &l, NULL);
    metric_add(&q->metric, told ? METRIC_BOUNCES_SENT : METRIC_BOUNCES_DROPPED, 1);
    r->state = LOG_RECIPIENT_DONE;
    m->open--;
}

static bool has_news(const struct queue_message *m) {
    for (size_t i = 0; i < m->recipients_n; i++)
        if (m->recipients[i].state == LOG_RECIPIENT_FAILED && m->recipients[i].known && !m->recipients[i].telling)
            return true;
    return false;
}

void queue_outcome_notify(struct queue_service *q, struct queue_message *m) {
    struct queue_group *g = m->notify;
    if (m->open == 0 || !has_news(m))
        return;
    if (!g) {
        g = m->notify = MEM_NEW(struct queue_group);
        *g = (struct queue_group){.message = m, .number = UINT16_MAX, .state = MESSAGE_RECIPIENT_DONE};
    }
    if (g->state != MESSAGE_RECIPIENT_DONE)
        return; // on its way, or waits for its next attempt; looked at again then
    g->attempts = 0;
    queue_schedule_assign(g, q->schedule.notify);
    queue_schedule_ready(&q->schedule, g, MONO_NEVER);
    queue_pump_soon(q);
}

// --- groups

static struct mono expiry(const struct queue_service *q, const struct queue_message *m) {
    int64_t ms = m->arrived.ms + q->config->queue.expire - world_wall(q->world).ms;
    return loop_in_ms(q->world->loop, ms < 0 ? 0 : ms);
}

static void wait_for_next(struct queue_service *q, struct queue_group *g) {
    int64_t wait = queue_schedule_wait(&q->schedule, g->destination, g->attempts);
    queue_schedule_defer(&q->schedule, g, wall_add_ms(world_wall(q->world), wait), loop_in_ms(q->world->loop, wait));
    queue_outcome_set_timer(q);
}

static bool anything_to_do(const struct queue_group *g) {
    return g == g->message->notify ? has_news(g->message) : g->open > 0;
}

void queue_outcome_group(struct queue_service *q, struct queue_group *g, bool at_once) {
    if (!anything_to_do(g)) {
        queue_schedule_forget(&q->schedule, g);
    } else if (at_once) {
        queue_schedule_ready(&q->schedule, g, expiry(q, g->message));
        queue_pump_soon(q);
    } else {
        wait_for_next(q, g);
    }
}

static void settle_group(struct queue_service *q, struct queue_group *g) {
    struct queue_message *m = g->message;
    uint32_t *indices = mem_new(m->recipients_n, sizeof *indices);
    size_t n = 0;
    for (uint32_t i = 0; i < m->recipients_n; i++)
        if (m->recipients[i].group == g->number)
            indices[n++] = i;
    queue_settle(q, m, indices, n);
    free(indices);
}

void queue_outcome_fail_group(struct queue_service *q, struct queue_group *g, const struct log_recipient *why) {
    ARENA_AUTO struct arena arena = {.max = QUEUE_ARENA_MAX};
    struct queue_message *m = g->message;
    struct message_submit submit = {0};
    struct err e;
    bool read = queue_message_envelope(m, &arena, &submit, &e);
    for (uint32_t i = 0; i < m->recipients_n; i++)
        if (m->recipients[i].group == g->number && m->recipients[i].state == LOG_RECIPIENT_OPEN)
            give_up(q, m, i, read ? submit.envelope.recipients[i].address : SLICE("?"), why, NULL);
    settle_group(q, g);
    queue_schedule_forget(&q->schedule, g);
}

// --- time

static void expire_group(struct queue_service *q, struct queue_group *g) {
    struct log_recipient why = {
        .expired = true, .enhanced = {4, 4, 7}, .reason = SLICE("no attempt succeeded in time")};
    const struct queue_reason *r = g->destination->reason;
    if (r) {
        why.smtp = r->smtp;
        memcpy(why.enhanced, r->enhanced, sizeof why.enhanced);
        why.reason = r->text;
        why.remote = r->remote;
    }
    queue_outcome_fail_group(q, g, &why);
}

static void group_due(struct queue_service *q, struct queue_group *g) {
    if (g->state == MESSAGE_RECIPIENT_DEFERRED)
        queue_schedule_ready(&q->schedule, g, g == g->message->notify ? MONO_NEVER : expiry(q, g->message));
    else if (g != g->message->notify && queue_expired(q, g->message))
        expire_group(q, g);
    else // the clock was set back
        heap_set(&q->schedule.due, &g->due, loop_in_ms(q->world->loop, EXPIRY_AGAIN_MS).ns);
}

void queue_outcome_due(struct queue_service *q) {
    struct mono now = loop_now(q->world->loop);
    struct heap_entry *first;
    while ((first = heap_first(&q->schedule.backs)) && first->key <= now.ns)
        queue_schedule_unblock(&q->schedule, HEAP_ENTRY(first, struct queue_destination, back));
    while ((first = heap_first(&q->schedule.due)) && first->key <= now.ns) {
        struct queue_group *g = HEAP_ENTRY(first, struct queue_group, due);
        heap_remove(&q->schedule.due, first);
        group_due(q, g);
    }
    queue_outcome_set_timer(q);
    queue_pump_soon(q);
}

void queue_outcome_set_timer(struct queue_service *q) {
    struct mono when = queue_schedule_when(&q->schedule);
    if (when.ns == MONO_NEVER.ns || q->stopping)
        loop_timer_stop(q->world->loop, &q->due_timer);
    else
        loop_timer_set(q->world->loop, &q->due_timer, when);
}

// --- dead destinations

static void note_site_failure(struct queue_service *q, struct queue_destination *d, const struct message_outcome *o) {
    for (size_t i = 0; i < o->recipients_n; i++) {
        const struct message_outcome_recipient *r = &o->recipients[i];
        if (r->result == MESSAGE_DELIVERED)
            continue;
        struct log_recipient l = {
            .smtp = r->smtp, .enhanced = {r->enhanced[0], r->enhanced[1], r->enhanced[2]}, .reason = r->reason};
        l.remote = o->remote;
        queue_reason_set(&q->index, &d->reason, &l);
        return;
    }
}

void queue_outcome_block(struct queue_service *q, struct queue_destination *d, const struct message_outcome *o) {
    if (o->site == MESSAGE_SITE_FAILED)
        note_site_failure(q, d, o);
    if (!queue_schedule_wants_block(d))
        return;
    int64_t wait = queue_schedule_wait(&q->schedule, d, d->backs + 1);
    queue_schedule_block(&q->schedule, d, wall_add_ms(world_wall(q->world), wait), loop_in_ms(q->world->loop, wait));
    LIST_EACH(at, &d->ready) {
        struct queue_group *g = LIST_ENTRY(at, struct queue_group, entry);
        bool notify = g == g->message->notify;
        heap_set(&q->schedule.due, &g->due, (notify ? MONO_NEVER : expiry(q, g->message)).ns);
    }
    queue_outcome_set_timer(q);
}
