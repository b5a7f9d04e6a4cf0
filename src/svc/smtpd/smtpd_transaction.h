// smtpd_transaction: MAIL and RCPT: whom a message is from and for, before its content comes.
//
// Who may relay: a domain of ours is taken from anyone, for recipients that exist; anything else only from trusted
// networks and from users who authenticated, else 550 5.7.1. Users may use reverse-paths that belong to them, and the
// null one.
#pragma once

#include "core/queue/envelope.h"
#include "core/queue/queue_id.h"
#include "core/history/record.h"
#include "svc/smtpd/smtpd_content.h"
#include "wire/smtp_command.h"

enum { SMTPD_TRANSACTION_MAX = 4 * 1024 * 1024 }; // bytes of its arena: 10,000 recipients after aliases

struct smtpd_transaction {
    struct envelope envelope;
    size_t recipients_cap;
    size_t accepted;            // RCPT commands, before aliases; those that policy discards too
    uint32_t refused;           // likewise
    struct slice for_whom;      // the only recipient, as it was given, for Received
    uint64_t size;              // as announced by SIZE; 0 where nothing was
    struct record_filter *said; // what filters and our guard said, where there is no gate
    size_t said_n;
    struct smtpd_content content;
    char id[QUEUE_ID_TEXT]; // of the message, for filters
    struct slice author;    // AUTH= of MAIL, likewise
    bool discarded;         // a filter said so: it is taken, and goes nowhere
    bool chunking;          // BDAT has begun
    bool spoilt;            // a chunk could not be taken: what follows of the message can't be either (RFC 3030 2)
};

// Takes all memory back; nothing when there is none.
void smtpd_transaction_end(struct smtpd_session *s);

// One more recipient, whom a filter names: through the tables where its domain is ours. One that isn't there is as if
// nobody had named it. False: that can't be found out now.
FIBER_FN MUST_CHECK bool smtpd_transaction_add(struct smtpd_session *s, struct slice address, struct err *e);

// The commands, with their replies.
FIBER_FN void smtpd_mail(struct smtpd_session *s, const struct smtp_command *c);
FIBER_FN void smtpd_rcpt(struct smtpd_session *s, const struct smtp_command *c);
