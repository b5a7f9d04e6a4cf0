// smtpd_reply: what a session answers. A reply is put whole, so that most of them cost a copy; those that name an error
// go through wire/smtp_reply, which lets no text make a reply of its own.
#pragma once

#include "base/err.h"
#include "rt/metric.h"

struct smtpd_session;

// `line` is one reply with its CRLF: SLICE("250 2.0.0 ok\r\n").
void smtpd_reply(struct smtpd_session *s, struct slice line);

// "CODE HOSTNAME TEXT": `code` ends with a space, `text` begins with one where it is not empty.
void smtpd_reply_named(struct smtpd_session *s, struct slice code, struct slice text);

// A reply that counts as a mistake of the client's: one too many, and the session ends with 421.
void smtpd_refuse(struct smtpd_session *s, struct slice line);
void smtpd_reply_err(struct smtpd_session *s, const struct err *e);
void smtpd_refuse_err(struct smtpd_session *s, const struct err *e);

// No further command is read. Counted as ended by us, for `reason`.
void smtpd_end(struct smtpd_session *s, enum metric_label_REASON reason);

// The connection is of no use any more, for the reason in `e`: says goodbye where there is somebody to hear it.
void smtpd_lost(struct smtpd_session *s, const struct err *e);

// 421 of a service that is told to stop.
void smtpd_goodbye(struct smtpd_session *s);
