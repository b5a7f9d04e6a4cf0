// relay_session: our side of an SMTP conversation (RFC 5321), straight-line on a fiber: greeting, EHLO, STARTTLS
// (RFC 3207), and any number of messages with a result for each recipient. With PIPELINING (RFC 2920):
//
//     C: MAIL FROM:<a@example.org> SIZE=1042
//     C: RCPT TO:<bob@example.net>
//     C: RCPT TO:<nobody@example.net>
//     C: DATA
//     S: 250 2.1.0 Ok
//     S: 250 2.1.5 Ok
//     S: 550 5.1.1 No such user
//     S: 354 Go ahead
//     C: (content) .
//     S: 250 2.0.0 Ok                <- only this is a delivery, to bob alone
//
// The server is foreign: whatever it sends is bounded, and what is out of order ends the session and defers the mail.
#pragma once

#include "core/config/config.h"
#include "rt/stream.h"
#include "svc/relay/relay_mail.h"

enum { RELAY_REMOTE_MAX = 400 };

struct relay_session {
    struct stream stream;
    struct smtp_reply reply; // the latest
    struct smtp_ext ext;
    const struct config_timeouts *timeouts;
    struct slice hostname;
    char remote[RELAY_REMOTE_MAX]; // "mx.example.org[192.0.2.1]:25"
    size_t remote_n;
    bool tls;
    bool broken;       // out of step, closed or failed: nothing may be sent any more
    bool unfinished;   // a transaction was begun and not ended: RSET before the next
    uint32_t messages; // begun on it
    // relay_pool's
    void *place;
    struct list in_place, in_idle;
    struct mono idle_since;
};

struct relay_session_setup {
    struct slice hostname; // for EHLO
    const struct config_timeouts *timeouts;
    struct slice host; // the server's name, empty for an address alone
    struct netaddr at;
    // TLS over `inner`, which it takes only when it succeeds. NULL: none, even where it is offered.
    FIBER_FN bool (*start_tls)(void *arg, struct transport *inner, struct slice host, struct mono deadline,
                               struct transport **out, struct err *e);
    void *tls_arg;
    // REQUIRETLS (RFC 8689 4.2.1): end with RELAY_OPENED_NOT where there is no TLS (start_tls has to verify), or no
    // REQUIRETLS.
    bool tls_needed, requiretls_needed;
    bool refuse_self; // end with RELAY_OPENED_SELF when the server calls itself by our name
};

enum relay_opened {
    RELAY_OPENED,
    RELAY_OPENED_NOT,        // `e`: no greeting, a refusal, ...; e->smtp is set when the server said so
    RELAY_OPENED_TLS_FAILED, // `e`; worth another connection without TLS
    RELAY_OPENED_SELF,       // `e`
};

// Takes `t`. The session is the caller's.
FIBER_FN enum relay_opened relay_session_open(struct transport *t, const struct relay_session_setup *setup,
                                              struct relay_session **out, struct err *e);

enum relay_sent {
    RELAY_SENT,         // every recipient is decided
    RELAY_SENT_NOT,     // nothing was delivered by this session to those undecided; another host may be tried. `e`
    RELAY_SENT_UNKNOWN, // it broke after the final dot: those undecided may have it or not. `e`
};

// One message. After it the session may be used again unless s->broken.
FIBER_FN enum relay_sent relay_session_send(struct relay_session *s, struct relay_mail *m, struct err *e);

// QUIT, and a little patience for its answer.
FIBER_FN void relay_session_quit(struct relay_session *s);

// Whether the server has neither closed nor said anything since the last answer.
bool relay_session_is_quiet(struct relay_session *s);

void relay_session_free(struct relay_session *s); // takes NULL; closes
