// smtpd_filter_session: the filters of one session (smtpd_filter.h): told at each stage, and what they want is done to
// the message. Users' sessions and those of port 25 have them alike, trusted clients' too. Where no filter is for the
// listener, each of these is a look at a NULL.
//
// A refusal is `e`; smtpd_refuse_err ends the session with it where the filter said so.
#pragma once

#include "svc/smtpd/smtpd_gate.h"
#include "wire/smtp_command.h"

// Whether the session's messages are seen by filters.
bool smtpd_filter_wanted(const struct smtpd_session *s);

// Of the transaction that has begun; a recipient that the house would take; before 354.
FIBER_FN MUST_CHECK bool smtpd_filter_mail(struct smtpd_session *s, const struct smtp_command *c, struct err *e);
FIBER_FN MUST_CHECK bool smtpd_filter_rcpt(struct smtpd_session *s, const struct smtp_command *c, struct err *e);
FIBER_FN MUST_CHECK bool smtpd_filter_data(struct smtpd_session *s, struct err *e);

FIBER_FN void smtpd_filter_rcpt_refused(struct smtpd_session *s, const struct smtp_command *c, const struct err *why);
// False: one of them has its own words of refusal, `e`.
FIBER_FN MUST_CHECK bool smtpd_filter_unknown(struct smtpd_session *s, struct slice line, struct err *e);

// --- content

// The header section that goes on is whole, in a->head; pieces of the body that goes on.
FIBER_FN void smtpd_filter_header(struct smtpd_aside *a, struct smtpd_session *s);
FIBER_FN void smtpd_filter_body(struct smtpd_session *s, struct slice piece);

// The body has ended. Changes a->head and the envelope; `*body`: there is another body, which smtpd_filter_piece gives.
FIBER_FN enum smtpd_gate_says smtpd_filter_content(struct smtpd_content *c, struct smtpd_session *s, bool *body,
                                                   struct err *e);
bool smtpd_filter_piece(struct smtpd_session *s, struct slice *out);

void smtpd_filter_end(struct smtpd_session *s);  // of the transaction
void smtpd_filter_done(struct smtpd_session *s); // of the session
