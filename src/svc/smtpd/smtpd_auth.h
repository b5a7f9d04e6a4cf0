// smtpd_auth: AUTH (RFC 4954): a conversation of SASL between the client and the processes of auth, carried in base64.
// The session itself knows no password: it wipes the line that held one.
//
//     C: AUTH PLAIN AGJvYgBzZWNyZXQ=      an initial response; "=" is an empty one
//     S: 235 2.7.0 welcome                once in a session, over TLS, outside of transactions
//     C: AUTH SCRAM-SHA-256
//     S: 334
//     C: biwsbj1ib2Iscj1...               a response of up to 16 KiB; "*" cancels: 501
#pragma once

#include "svc/smtpd/smtpd_session.h"
#include "wire/smtp_command.h"

// The mechanisms that make sense on this connection, as 1 << enum config_mechanism; 0: AUTH isn't offered.
uint32_t smtpd_auth_mechanisms(struct smtpd_session *s);

// "\nAUTH PLAIN LOGIN" for the reply to EHLO, or nothing.
void smtpd_auth_offer(struct smtpd_session *s, struct buf *lines);

// The command, with its replies.
FIBER_FN void smtpd_auth(struct smtpd_session *s, const struct smtp_command *c);
