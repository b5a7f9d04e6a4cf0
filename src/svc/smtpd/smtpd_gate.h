// smtpd_gate: policy in a session: strangers on port 25 have a gate (core/gate/gate.h), which is asked at each stage; its
// verdicts are carried out here. Trusted clients and users have none: of them only records are made.
//
// A refusal of policy's is `e`; smtpd_refuse_err ends the session with it where that was said.
#pragma once

#include "core/config/config_gate.h"
#include "core/message/message_gate.h"
#include "rt/fiber/fiber.h"
#include "wire/smtp_command.h"

struct smtpd_aside;
struct smtpd_content;
struct smtpd_gate;
struct smtpd_session;

// The client is there, or another one by XCLIENT: the rules of connect, and what wrong it does before it is greeted.
// False: turned away, with the reply.
FIBER_FN bool smtpd_gate_connect(struct smtpd_session *s);

void smtpd_gate_tls(struct smtpd_session *s);
FIBER_FN MUST_CHECK bool smtpd_gate_helo(struct smtpd_session *s, struct slice name, struct err *e);

// Commands came before they were allowed.
void smtpd_gate_pipelined(struct smtpd_session *s);

// Of the transaction that has begun.
FIBER_FN MUST_CHECK bool smtpd_gate_mail(struct smtpd_session *s, struct err *e);

enum smtpd_gate_says { SMTPD_GATE_TAKE, SMTPD_GATE_REFUSE, SMTPD_GATE_DISCARD };

// `address` is who the client named. `*instead`: whom the message goes to in its place; empty: nobody else.
FIBER_FN enum smtpd_gate_says smtpd_gate_recipient(struct smtpd_session *s, struct slice address, struct slice *instead,
                                                   struct err *e);

// --- content

// The header section is whole; pieces of the body; both as they came.
void smtpd_gate_header(struct smtpd_aside *a, struct smtpd_session *s);
void smtpd_gate_body(struct smtpd_aside *a, struct slice piece);

// The body has ended. Adds to a->front what results say, and the headers of rules; changes the envelope.
FIBER_FN enum smtpd_gate_says smtpd_gate_content(struct smtpd_content *c, struct smtpd_session *s, struct err *e);

// What became of the message: `why` it was refused, NULL: it was taken, or discarded. Recorded, and counted.
void smtpd_gate_told(struct smtpd_session *s, const struct err *why);

// --- what else is to be remembered

// Something was refused, and not by a rule. `recipient`: of RCPT; else empty.
void smtpd_gate_refused(struct smtpd_session *s, enum config_stage stage, struct slice recipient,
                        const struct err *why);

// A stranger's name in DNS, for filters, as gate_client_name; empty for others.
FIBER_FN struct slice smtpd_gate_client_name(struct smtpd_session *s, bool *confirmed);

// A filter said so.
void smtpd_gate_filter(struct smtpd_session *s, struct slice name, struct slice words);

// A command was wrong, or named a recipient that isn't there, or asked for relaying: past its rate the session ends.
FIBER_FN void smtpd_gate_misdeed(struct smtpd_session *s, enum message_seen_what what);

// Waits before a reply, at most GATE_TARPIT_MAX_MS; less when the service is told to stop.
FIBER_FN void smtpd_gate_tarpit(struct smtpd_session *s, int64_t ms);

void smtpd_gate_done(struct smtpd_session *s);
