// queue_history: tells history what became of each recipient: all of a turn of the loop in one frame. At a reload
// history is away for a moment, and so much waits for it. Where nobody comes, or nobody reads, it is told less: mail
// doesn't wait.
#include "svc/queue/queue_inside.h"

#include "core/message/message_gate.h"

enum { FULL = 64 * 1024 }; // bytes that don't wait for the turn's end

static struct link *link_of(const struct queue_service *q) {
    struct link *found = NULL;
    LIST_EACH(at, &q->peers) {
        struct queue_peer *p = LIST_ENTRY(at, struct queue_peer, entry);
        if (p->role == ROLE_HISTORY && link_is_up(p->base.link))
            found = p->base.link;
    }
    return found;
}

static void send(struct queue_service *q) {
    struct link *to = link_of(q);
    if (!to && q->history.waiting.n < FULL)
        return;
    if (q->history.n && (!to || !link_send1(to, LINK_RECORDS, 0, buf_slice(&q->history.waiting))))
        metric_add(&q->metric, METRIC_HISTORY_UNSENT, q->history.n);
    buf_reset(&q->history.waiting);
    q->history.n = 0;
}

static void send_task(struct loop_task *t) {
    struct queue_history *h = LIST_ENTRY(t, struct queue_history, send);
    struct queue_service *q = LIST_ENTRY(h, struct queue_service, history);
    send(q);
    if (h->n == 0)
        buf_trim(&h->waiting);
}

void queue_history_init(struct queue_service *q) {
    q->history = (struct queue_history){.send = {.run = send_task}, .waiting = {.max = FULL + 2 * RECORD_MAX}};
}

void queue_history_attached(struct queue_service *q) { loop_task_set(q->world->loop, &q->history.send); }

void queue_history_done(struct queue_service *q) {
    loop_task_stop(&q->history.send);
    buf_done(&q->history.waiting);
}

void queue_history_tell(struct queue_service *q, enum record_outcome outcome, const struct queue_message *m,
                        struct slice address, const struct log_recipient *r, struct slice remote) {
    if (!q->config->gate.history.size)
        return;
    struct record record = {.when = world_wall(q->world),
                            .stage = RECORD_DELIVERY,
                            .outcome = outcome,
                            .queue_id = m->id,
                            .recipients = &address,
                            .recipients_n = address.n > 0,
                            .code = r->smtp,
                            .enhanced = {r->enhanced[0], r->enhanced[1], r->enhanced[2]},
                            .text = r->reason,
                            .remote = remote};
    if (!message_records_add(&q->history.waiting, &record))
        return;
    q->history.n++;
    if (q->history.waiting.n >= FULL)
        send(q);
    else
        loop_task_set(q->world->loop, &q->history.send);
}
