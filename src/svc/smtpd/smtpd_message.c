// smtpd_message: taking content in and handing it over.
#include "svc/smtpd/smtpd_message.h"

#include "core/queue/queue_id.h"
#include "rt/fiber/loop.h"
#include "svc/smtpd/smtpd_filter_session.h"
#include "svc/smtpd/smtpd_reply.h"
#include "svc/smtpd/smtpd_session.h"

enum metric_label_REASON smtpd_message_reason(const struct smtpd_session *s, const struct err *e) {
    if (!smtpd_is_submission(s) && e->enhanced[1] == 7)
        return METRIC_REASON_POLICY;
    switch (e->smtp) {
    case 552:
        return METRIC_REASON_SIZE;
    case 452:
        return e->enhanced[1] == 3 ? METRIC_REASON_DISK : METRIC_REASON_QUOTA;
    case 550:
        return e->enhanced[1] == 7 ? METRIC_REASON_SENDER : METRIC_REASON_CONTENT;
    case 554:
        return e->enhanced[1] == 4 ? METRIC_REASON_LOOP : METRIC_REASON_CONTENT;
    default:
        return METRIC_REASON_TEMPORARY;
    }
}

static void refuse_message(struct smtpd_session *s, const struct err *e) {
    const struct envelope *env = &s->transaction->envelope;
    metric_add_at(s->shared->metrics, METRIC_MESSAGES_REFUSED, smtpd_message_reason(s, e), 1);
    journal_event(s->shared->journal, JOURNAL_INFO, "message-refused",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_STR("client", env->client),
                  JOURNAL_STR("from", env->sender), JOURNAL_INT("code", e->smtp), JOURNAL_ERR(e));
    smtpd_gate_told(s, e);
    smtpd_refuse_err(s, e);
}

// Nobody but the administrator is told.
static void note_discarded(struct smtpd_session *s) {
    const struct smtpd_transaction *t = s->transaction;
    char id[QUEUE_ID_TEXT];
    queue_id_print(t->content.queue_id, id);
    journal_event(s->shared->journal, JOURNAL_INFO, "message-discarded",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_STR("id", slice_of(id, sizeof id)),
                  JOURNAL_STR("client", t->envelope.client), JOURNAL_STR("from", t->envelope.sender),
                  JOURNAL_UINT("recipients", t->envelope.recipients_n));
    metric_add(s->shared->metrics, METRIC_MESSAGES_DISCARDED, 1);
}

static void say_queued(struct smtpd_session *s, uint64_t queue_id) {
    char id[QUEUE_ID_TEXT];
    queue_id_print(queue_id, id);
    smtpd_reply(s, SLICE("250 2.0.0 queued as "));
    smtpd_reply(s, slice_of(id, sizeof id));
    smtpd_reply(s, SLICE("\r\n"));
}

// The end of content was read.
static FIBER_FN void finish(struct smtpd_session *s) {
    struct smtpd_transaction *t = s->transaction;
    struct metric *m = s->shared->metrics;
    struct mono begun = loop_now(fiber_loop());
    struct err e;
    if (smtpd_content_submit(&t->content, s, &e)) {
        smtpd_gate_told(s, NULL);
        if (t->content.discarded)
            note_discarded(s);
        say_queued(s, t->content.queue_id);
        s->messages++;
        smtpd_pace_message(s);
        metric_add(m, METRIC_MESSAGES_ACCEPTED, 1);
        metric_add(m, METRIC_BYTES_ACCEPTED, t->content.body.size);
        metric_add(m, METRIC_RECIPIENTS_ACCEPTED, t->envelope.recipients_n);
        metric_observe(m, METRIC_ACCEPT_SECONDS, 0, loop_now(fiber_loop()).ns - begun.ns);
    } else {
        refuse_message(s, &e);
    }
    smtpd_transaction_end(s);
}

void smtpd_data(struct smtpd_session *s) {
    struct smtpd_transaction *t = s->transaction;
    struct err e;
    if (!t || t->chunking || t->spoilt) {
        smtpd_refuse(s, t ? SLICE("503 5.5.1 DATA can't follow BDAT\r\n") : SLICE("503 5.5.1 send MAIL first\r\n"));
        return;
    }
    if (t->accepted == 0) {
        smtpd_refuse(s, SLICE("554 5.5.1 no valid recipients\r\n"));
        return;
    }
    if (stream_unread(&s->stream)) // content before 354 (RFC 2920 3.1: DATA is the last of its group)
        smtpd_gate_pipelined(s);
    smtpd_content_begin(&t->content, s);
    if (!smtpd_filter_data(s, &e)) {
        refuse_message(s, &e);
        smtpd_transaction_end(s);
        return;
    }
    smtpd_reply(s, SLICE("354 end with <CRLF>.<CRLF>\r\n"));
    if (smtpd_content_read_data(&t->content, s, &e))
        finish(s);
    else
        smtpd_lost(s, &e);
}

bool smtpd_skip_chunk(struct smtpd_session *s, uint64_t n) {
    struct slice view;
    struct err e;
    while (n) {
        if (!smtpd_pace_receive(s, &view, &e)) {
            smtpd_lost(s, &e);
            return false;
        }
        size_t take = n < view.n ? (size_t)n : view.n;
        smtpd_pace_consume(s, take);
        n -= take;
    }
    return true;
}

// A chunk of no message, or of one that was refused already: a client that pipelines sends those (RFC 3030 2). The last
// one ends the transaction as it would have.
static FIBER_FN void refuse_chunk(struct smtpd_session *s, const struct smtp_command *c) {
    struct smtpd_transaction *t = s->transaction;
    bool spoilt = t && t->spoilt;
    if (!smtpd_skip_chunk(s, c->chunk))
        return;
    if (!t)
        smtpd_refuse(s, SLICE("503 5.5.1 send MAIL first\r\n"));
    else if (spoilt)
        smtpd_refuse(s, SLICE("503 5.5.1 the message was refused before this chunk\r\n"));
    else
        smtpd_refuse(s, SLICE("554 5.5.1 no valid recipients\r\n"));
    if (t)
        t->spoilt = true;
    if (c->last)
        smtpd_transaction_end(s);
}

void smtpd_bdat(struct smtpd_session *s, const struct smtp_command *c) {
    struct smtpd_transaction *t = s->transaction;
    struct err e;
    if (!t || t->spoilt || t->accepted == 0) {
        refuse_chunk(s, c);
        return;
    }
    if (!t->chunking)
        smtpd_content_begin(&t->content, s);
    if (!t->chunking && !smtpd_filter_data(s, &e))
        smtpd_content_refuse(&t->content, s, &e);
    t->chunking = true;
    if (!smtpd_content_read_chunk(&t->content, s, c->chunk, c->last, &e)) {
        smtpd_lost(s, &e);
    } else if (c->last) {
        finish(s);
    } else if (t->content.refused) {
        t->spoilt = true;
        refuse_message(s, &t->content.why);
    } else {
        smtpd_reply(s, SLICE("250 2.0.0 chunk taken\r\n"));
    }
}
