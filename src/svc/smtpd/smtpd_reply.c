// smtpd_reply: replies, and the count of mistakes.
#include "svc/smtpd/smtpd_reply.h"

#include "svc/smtpd/smtpd_session.h"
#include "wire/smtp_reply.h"

void smtpd_reply(struct smtpd_session *s, struct slice line) { stream_put(&s->stream, line); }

void smtpd_reply_named(struct smtpd_session *s, struct slice code, struct slice text) {
    stream_put(&s->stream, code);
    stream_put(&s->stream, s->shared->config->hostname);
    stream_put(&s->stream, text);
    stream_put(&s->stream, SLICE("\r\n"));
}

void smtpd_end(struct smtpd_session *s, enum metric_label_REASON reason) {
    s->ending = true;
    metric_add_at(s->shared->metrics, METRIC_SESSIONS_REFUSED, reason, 1);
}

// After each command that failed: somebody who only makes mistakes is shown the door.
static void count_error(struct smtpd_session *s) {
    metric_add(s->shared->metrics, METRIC_COMMAND_ERRORS, 1);
    if (++s->errors < s->shared->config->limits.errors || s->ending)
        return;
    smtpd_reply_named(s, SLICE("421 4.7.0 "), SLICE(" too many errors, goodbye"));
    smtpd_end(s, METRIC_REASON_LIMIT);
}

void smtpd_refuse(struct smtpd_session *s, struct slice line) {
    smtpd_reply(s, line);
    count_error(s);
}

void smtpd_reply_err(struct smtpd_session *s, const struct err *e) { smtp_reply_format_err(&s->stream.out, e); }

void smtpd_refuse_err(struct smtpd_session *s, const struct err *e) {
    smtpd_reply_err(s, e);
    if (e->smtp < 500) // our trouble
        s->misdeed = MESSAGE_SEEN_REFUSED;
    if (s->ends_with_refusal)
        smtpd_end(s, METRIC_REASON_POLICY);
    s->ends_with_refusal = false;
    count_error(s);
}

void smtpd_goodbye(struct smtpd_session *s) {
    smtpd_reply_named(s, SLICE("421 4.3.2 "), SLICE(" is going down, please connect again later"));
    s->ending = true;
}

void smtpd_lost(struct smtpd_session *s, const struct err *e) {
    s->ending = true;
    journal_event(s->shared->journal, JOURNAL_INFO, "session-lost",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_ERR(e));
    if (e->kind == ERR_TIMEOUT)
        smtpd_reply_named(s, SLICE("421 4.4.2 "), SLICE(" timed out, goodbye"));
    else if (e->kind == ERR_CANCELLED)
        smtpd_goodbye(s);
}
