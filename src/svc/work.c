// work: from WORK to OUTCOME.
#include "svc/work.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>

enum { ARENA_MAX = 8 * 1024 * 1024, REASON_MAX = 500, READ_DEADLINE_MS = MS_MINUTE };

static void work_free(struct work *w) {
    peer_drop(w->queue);
    arena_done(&w->arena);
    free(w->payload);
    free(w);
}

void work_result(struct work *w, size_t i, enum message_result result, const uint16_t enhanced[3],
                 struct slice reason) {
    struct message_outcome_recipient *r = &w->outcome.recipients[i];
    r->result = result;
    memcpy(r->enhanced, enhanced, sizeof r->enhanced);
    r->reason = arena_dup(&w->arena, utf8_upto(reason, REASON_MAX));
}

void work_result_err(struct work *w, size_t i, const struct err *e) {
    bool permanent = err_is_permanent(e);
    uint16_t enhanced[3] = {permanent ? 5 : 4, e->enhanced[1], e->enhanced[2]};
    work_result(w, i, permanent ? MESSAGE_FAILED : MESSAGE_DEFERRED, enhanced, slice_str(e->text));
}

static void send_outcome(struct work *w) {
    BUF_AUTO struct buf packed = {.max = LINK_PAYLOAD_MAX};
    if (message_outcome_pack(&packed, &w->outcome))
        link_send1(w->queue->link, LINK_OUTCOME, w->id, buf_slice(&packed));
}

static void body(void *arg) {
    struct work *w = arg;
    if (w->run(w->service, w))
        send_outcome(w);
    work_free(w);
}

static bool unpack(struct work *w, const struct link_frame *frame, enum message_work_kind kind) {
    w->payload = mem_new(frame->payload.n + 1, 1);
    memcpy(w->payload, frame->payload.p, frame->payload.n);
    if (!message_work_unpack(slice_of(w->payload, frame->payload.n), &w->arena, &w->work) || w->work.kind != kind ||
        w->work.recipients_n == 0)
        return false;
    w->outcome.recipients_n = w->work.recipients_n;
    w->outcome.recipients = arena_alloc(&w->arena, w->work.recipients_n * sizeof *w->outcome.recipients);
    if (!w->outcome.recipients)
        return false;
    for (size_t i = 0; i < w->work.recipients_n; i++)
        w->outcome.recipients[i] = (struct message_outcome_recipient){
            .index = w->work.recipients[i].index, .result = MESSAGE_DEFERRED, .reason = SLICE("not tried")};
    return true;
}

void work_begin(struct peer_link *queue, const struct link_frame *frame, enum message_work_kind kind, void *service,
                FIBER_FN bool (*run)(void *service, struct work *w)) {
    struct err e;
    struct work *w = MEM_NEW(struct work);
    *w = (struct work){
        .queue = peer_hold(queue), .id = frame->id, .arena = {.max = ARENA_MAX}, .service = service, .run = run};
    w->outcome.site = MESSAGE_SITE_UNTRIED;
    if (frame->type != LINK_WORK || !unpack(w, frame, kind)) {
        link_break(queue->link, "malformed work");
    } else if (fiber_spawn(queue->peer->group, "work", body, w, &e)) {
        return;
    } else if (e.kind != ERR_CANCELLED) {
        for (size_t i = 0; i < w->work.recipients_n; i++)
            work_result_err(w, i, &e);
        send_outcome(w);
    }
    work_free(w);
}

static FIBER_FN bool read_content(struct work *w, uint64_t offset, struct buf *to, struct err *e) {
    char space[64];
    struct buf payload = {.p = space, .cap = sizeof space, .max = sizeof space};
    struct message_read m = {.queue_id = w->work.queue_id, .offset = offset, .n = MESSAGE_INLINE_MAX};
    enum link_type type;
    if (!message_read_pack(&payload, &m))
        return err_set(e, ERR_BUG, "a READ does not fit");
    struct slice part = buf_slice(&payload);
    return link_call(w->queue->link, LINK_READ, &part, 1, loop_in_ms(fiber_loop(), READ_DEADLINE_MS), &type, to, e);
}

bool work_content(struct work *w, uint64_t offset, struct buf *space, struct slice *piece, struct err *e) {
    if (w->work.content.n) {
        *piece = slice_from(w->work.content, (size_t)offset);
    } else {
        buf_reset(space);
        if (!read_content(w, offset, space, e))
            return false;
        *piece = buf_slice(space);
    }
    return piece->n > 0 || err_set(e, ERR_TEMPORARY, "the message's content ended early");
}
