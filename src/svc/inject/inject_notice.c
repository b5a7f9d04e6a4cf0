// inject_notice: what a notice says, and that it insists: an administrator who is not known today may be tomorrow.
#include "svc/inject/inject_notice.h"

#include "core/message/message.h"
#include "core/message/message_policy.h"
#include "mail/dsn/notice.h"
#include "rt/journal.h"

static void end(void *service, const struct inject_errand *m, struct slice queue_id, const struct err *e) {
    struct inject_notices *s = service;
    struct journal *j = s->own->world->journal;
    s->n--;
    if (!e)
        journal_event(j, JOURNAL_INFO, "notice-queued", JOURNAL_STR("queue", queue_id), JOURNAL_STR("to", m->recipient),
                      JOURNAL_STR("subject", m->subject));
    else
        journal_event(j, JOURNAL_WARNING, "notice-failed", JOURNAL_STR("to", m->recipient),
                      JOURNAL_STR("subject", m->subject), JOURNAL_ERR(e));
}

static bool write(struct world *w, const struct config *c, const struct message_notice *m, struct buf *out) {
    struct notice n = {.hostname = c->hostname,
                       .to = m->to,
                       .subject = m->subject,
                       .text = slice_upto(m->text, 8192),
                       .random = world_random_u64(w),
                       .now = world_wall(w)};
    return notice_write(&n, out);
}

void inject_notice_begin(struct inject_notices *s, struct peer_link *from, const struct link_frame *frame) {
    BUF_AUTO struct buf content = {.max = MESSAGE_INLINE_MAX};
    struct message_notice m;
    struct err e = {0};
    if (frame->type != LINK_NOTICE || !message_notice_unpack(frame->payload, &m)) {
        link_break(from->link, "a malformed NOTICE");
        return;
    }
    struct inject_errand errand = {
        .flags = ENVELOPE_NOTICE, .insists = true, .recipient = m.to, .subject = m.subject, .end = end, .service = s};
    bool ok = (++s->n <= INJECT_NOTICES_MAX || err_set(&e, ERR_TEMPORARY, "too many notices at once")) &&
              (write(s->own->world, s->own->config, &m, &content) || err_set(&e, ERR_TEMPORARY, "it is too large"));
    errand.content = buf_slice(&content);
    if (ok)
        inject_own_run(s->own, &errand);
    else
        end(s, &errand, SLICE_EMPTY, &e);
}
