// smtpd_xclient: XCLIENT, by which a proxy that we know says for whom it speaks (Postfix's XCLIENT_README):
//
//     C: XCLIENT ADDR=192.0.2.1 PORT=51234 NAME=client.example.net HELO=client.example.net PROTO=ESMTP LOGIN=bob
//     S: 220 mx1.example.org ESMTP        all is as if that client had just connected
#pragma once

#include "svc/smtpd/smtpd_session.h"
#include "wire/smtp_command.h"

// "\nXCLIENT NAME ADDR ..." for the reply to EHLO, or nothing.
void smtpd_xclient_offer(const struct smtpd_session *s, struct buf *lines);

// The command. True: the session begins anew, with its greeting. False: refused, with the reply.
bool smtpd_xclient(struct smtpd_session *s, const struct smtp_command *c);
