// receiver: the least of an SMTP server that a client will talk to. Everybody may send anything to anyone, nothing is
// checked: it is what the sink and the bare limit have in common, so that neither costs more than it must.
#pragma once

#include "base/buf.h"

enum receiver_event {
    RECEIVER_MORE,    // everything was taken, more bytes are wanted
    RECEIVER_MESSAGE, // a message ended: the caller says receiver_accepted(), now or later, before it feeds on
    RECEIVER_QUIT,    // the client said goodbye; the reply is in `out`
};

enum { RECEIVER_LINE = 1024, RECEIVER_OUT = 2048 };

// Zero-initialised but for `keep` is a new session.
struct receiver {
    struct buf *keep;             // where MAIL and RCPT lines and the content go as they came; NULL: nowhere
    size_t envelope_n;            // how much of `keep` is the envelope
    unsigned recipients;          // of the open transaction
    unsigned finished_recipients; // of the message that just ended
    bool content;                 // after DATA
    unsigned matched;             // bytes of CRLF.CRLF that were seen just now
    size_t line_n;                // of a command that is not whole yet
    size_t out_n;                 // replies that wait to be sent
    char line[RECEIVER_LINE];
    char out[RECEIVER_OUT];
};

void receiver_greet(struct receiver *r);

// Takes what it can of `in`, tells how much, and what happened.
enum receiver_event receiver_feed(struct receiver *r, struct slice in, size_t *taken);

void receiver_accepted(struct receiver *r);

// A reply that does not fit is dropped: only a client that never reads gets there.
void receiver_say(struct receiver *r, struct slice reply);
