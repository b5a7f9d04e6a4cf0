// dsn: the notification that tells a sender what could not be delivered: multipart/report (RFC 6522) with words for
// people, a message/delivery-status (RFC 3464) for programs, and the header section of the message it is about.
#pragma once

#include "base/when.h"

struct dsn_recipient {
    struct slice address;  // final, as it was tried
    struct slice original; // as it was given to us; empty when it is the same
    unsigned smtp;         // the reply's code, 0 where no server answered
    uint16_t enhanced[3];  // RFC 3463; a class other than 5 is written as 5
    struct slice reason;   // the remote's words or ours
    struct slice remote;   // "host[ip]:port" that was tried last, whose words they are where `smtp` is set
    bool expired;          // given up since it took too long
};

struct dsn {
    struct slice hostname;
    struct slice sender;   // to whom it goes, without <>
    struct slice queue_id; // of the message it is about
    uint64_t random;       // for the boundary and the Message-ID: not to be guessed
    struct wall arrived, now;
    bool smtputf8; // the message needed SMTPUTF8 (RFC 6531), so its notification may be of that kind (RFC 6533)
    const struct dsn_recipient *recipients;
    size_t recipients_n;
    struct slice header; // the message's header section; it may have been cut
};

enum { DSN_REASON_MAX = 1024, DSN_MAX = 4 * 1024 * 1024 }; // bytes used of a reason; bytes of `out` that always do

// Appends the whole message, lines ending in CRLF, none longer than 998 bytes. Whatever foreign bytes hold, they can't
// begin a line or a header field of their own. Pure ASCII unless d->smtputf8. False when `out` is too small.
bool dsn_write(const struct dsn *d, struct buf *out);
