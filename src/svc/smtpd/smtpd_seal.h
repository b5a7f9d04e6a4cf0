// smtpd_seal: a set of ours for the Authenticated Received Chain (RFC 8617 5.1) of a stranger's message, where the
// configuration names a key (`arc seal`): over the message as it leaves us, wherever it goes, since who takes it may
// pass it on.
//
//     smtpd_seal_begin(a, s);            the header is whole, and again when the body is replaced
//     smtpd_seal_body(a, piece);         as it leaves
//     smtpd_seal_finish(a, s);           a->head and our Authentication-Results are final
//
// A seal is a courtesy to others: mail that can't be sealed goes without, and an event says so.
#pragma once

#include "rt/fiber/fiber.h"
#include "svc/smtpd/smtpd_aside.h"

struct smtpd_session;

void smtpd_seal_begin(struct smtpd_aside *a, struct smtpd_session *s);
void smtpd_seal_body(struct smtpd_aside *a, struct slice piece);
FIBER_FN void smtpd_seal_finish(struct smtpd_aside *a, struct smtpd_session *s); // adds the set to a->front
void smtpd_seal_done(struct smtpd_aside *a);                                     // may be called twice
