// inject_post: how many bytes are on their way, and what came of them.
#include "svc/inject/inject_post.h"

#include "core/message/message_gate.h"
#include "rt/journal.h"

static void end(void *service, const struct inject_errand *m, struct slice queue_id, const struct err *e) {
    struct inject_posts *s = service;
    struct journal *j = s->own->world->journal;
    s->bytes -= m->content.n;
    if (!e)
        journal_event(j, JOURNAL_INFO, "post-queued", JOURNAL_STR("queue", queue_id), JOURNAL_STR("from", m->sender),
                      JOURNAL_STR("to", m->recipient));
    else
        journal_event(j, JOURNAL_WARNING, "post-failed", JOURNAL_STR("to", m->recipient), JOURNAL_ERR(e));
}

void inject_post_begin(struct inject_posts *s, struct peer_link *from, const struct link_frame *frame) {
    struct message_post m;
    struct err e = {0};
    if (frame->type != LINK_POST || !message_post_unpack(frame->payload, &m)) {
        link_break(from->link, "a malformed POST");
        return;
    }
    struct inject_errand errand = {
        .sender = m.sender, .recipient = m.recipient, .content = m.content, .end = end, .service = s};
    s->bytes += m.content.n;
    if (s->bytes <= INJECT_POSTS_BYTES)
        inject_own_run(s->own, &errand);
    else {
        err_set(&e, ERR_TEMPORARY, "too many messages at once");
        end(s, &errand, SLICE_EMPTY, &e);
    }
}
