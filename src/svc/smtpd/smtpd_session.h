// smtpd_session: one SMTP session as a server (RFC 5321), straight-line on a fiber:
//
//     S: 220 mx1.example.org ESMTP
//     C: EHLO client.example.net          HELO too; MAIL before either is 503
//     S: 250-mx1.example.org ...
//     C: STARTTLS                         everything said before is forgotten (RFC 3207 4.2)
//     C: MAIL FROM:<a@example.net>        begins a transaction; RSET, EHLO and the end of DATA end it
//     C: RCPT TO:<b@example.org>          each one accepted or refused by itself
//     C: DATA                             or BDAT n [LAST] (RFC 3030), but not both
//     S: 354 ...
//     C: (content) .
//     S: 250 2.0.0 ... queued as ...      only when the queue has it on disk
//     C: QUIT
#pragma once

#include "core/config.h"
#include "mail/address.h"
#include "rt/journal.h"
#include "rt/metric.h"
#include "rt/stream.h"
#include "svc/smtpd/smtpd_backend.h"
#include "svc/smtpd/smtpd_transaction.h"

enum { SMTPD_SESSION_ID = 13, SMTPD_CLIENT_TEXT = 54 };

// What a session is given; outlives it.
struct smtpd_shared {
    const struct config *config;
    struct smtpd_backend *backend;
    struct journal *journal;
    struct metric *metrics;
    // TLS as a server over `inner`, which it takes when it succeeds. NULL: STARTTLS is not offered.
    FIBER_FN bool (*start_tls)(void *arg, struct transport *inner, struct mono deadline, struct transport **out,
                               struct err *e);
    void *tls_arg;
    const char *(*tls_cipher)(struct transport *t); // for Received; NULL: not known
    bool stopping;                                  // after the command in hand, every session is ended with 421
};

struct smtpd_session {
    struct smtpd_shared *shared;
    struct stream stream;
    struct netaddr client;
    char id[SMTPD_SESSION_ID];
    uint8_t client_text_n;
    char client_text[SMTPD_CLIENT_TEXT]; // "[192.0.2.1]" for envelopes
    bool trusted;                        // relaying is allowed, and the limits for strangers don't hold
    bool tls;
    bool idle;   // waits for a command with nothing in hand
    bool ending; // no further command is read
    bool esmtp;
    uint32_t errors;
    uint32_t messages;
    struct buf helo;                       // empty before EHLO
    struct arena arena;                    // of the transaction
    struct smtpd_transaction *transaction; // NULL outside of one; in `arena`
};

// Takes `t`.
void smtpd_session_init(struct smtpd_session *s, struct smtpd_shared *shared, struct transport *t,
                        const struct netaddr *client, uint64_t id);

// The whole conversation. Returns when it is over, whoever ended it.
FIBER_FN void smtpd_session_run(struct smtpd_session *s);

// Told when shared->stopping was set: one that waits for a command with nothing in hand ends now with 421. Any fiber.
void smtpd_session_stop(struct smtpd_session *s);

void smtpd_session_done(struct smtpd_session *s);
