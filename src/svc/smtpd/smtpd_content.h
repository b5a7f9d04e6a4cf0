// smtpd_content: the content of one message on its way from the client to the queue: decoded, checked, with our
// Received field in front; judged where it is a stranger's, put right and signed where it is a user's
// (smtpd_aside.h). Small content stays in
// memory and goes to the queue in one frame; large content goes in pieces, so that no session holds more than
// SMTPD_CONTENT_HELD.
#pragma once

#include "mail/header/header.h"
#include "svc/smtpd/smtpd_backend.h"
#include "wire/smtp_body.h"

struct smtpd_session;

enum { SMTPD_CONTENT_HELD = 4 * MESSAGE_INLINE_MAX };

struct smtpd_content {
    bool begun;
    uint64_t queue_id; // made when content begins; at MAIL where filters are told of it; 0: not yet
    struct smtp_body body;
    struct header_scan header;
    struct buf held;           // what has not been sent in a piece
    struct smtpd_aside *aside; // NULL: a trusted client's, which goes on as it comes
    struct smtpd_slot *slot;   // NULL: none is open
    bool refused;
    struct err why;   // of the first refusal
    bool discarded;   // after submit: policy wanted it dropped
    uint64_t counted; // bytes in shared->held
};

// Makes the Received field, and the queue id where there is none.
void smtpd_content_begin(struct smtpd_content *c, struct smtpd_session *s);

// Reads DATA up to its end, whatever is wrong with it. False: the connection is of no use any more.
FIBER_FN MUST_CHECK bool smtpd_content_read_data(struct smtpd_content *c, struct smtpd_session *s, struct err *e);

// Reads a chunk of exactly `n` bytes.
FIBER_FN MUST_CHECK bool smtpd_content_read_chunk(struct smtpd_content *c, struct smtpd_session *s, uint64_t n,
                                                  bool last, struct err *e);

// Nothing of it is kept from here on, but its end is still looked for. The first reason counts.
void smtpd_content_refuse(struct smtpd_content *c, struct smtpd_session *s, const struct err *why);

// Hands the message to the queue. True: it is durable. False: `e` has the reply.
FIBER_FN MUST_CHECK bool smtpd_content_submit(struct smtpd_content *c, struct smtpd_session *s, struct err *e);

// Takes any memory and slot back.
void smtpd_content_done(struct smtpd_content *c, struct smtpd_session *s);
