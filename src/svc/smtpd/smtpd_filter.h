// smtpd_filter: what filters of others (milters, wire/milter.h) are asked about a session's mail, in the order of the
// configuration. A session without filters has no struct smtpd_filters, and pays for nothing.
//
//     smtpd_filters_new            a session's first MAIL; NULL: no filter is for this listener
//     smtpd_filters_mail           connects, tells CONNECT and HELO (again where they changed) and MAIL
//     smtpd_filters_rcpt           each recipient that the house takes; _rcpt_refused: each that it doesn't
//     smtpd_filters_data           before 354, before the first chunk
//     smtpd_filters_header         once the header section is whole
//     smtpd_filters_body           the body, decoded, in pieces of any size
//     smtpd_filters_end            the end: the verdict, and what is to be changed
//     smtpd_filters_abort          the transaction ended otherwise, or what `end` gave is done with
//     smtpd_filters_free
//
// Filters are asked from MAIL on and not when the client connects: a client that never comes so far costs them nothing.
// What they say of CONNECT and HELO is then the answer to MAIL.
//
// Each filter sees header and body as the ones before it left them; the envelope it sees as the client named it, since
// it was told of that at MAIL and RCPT. What a filter changes counts only when its answer to the end is complete: one
// that dies, stalls or talks nonsense has changed nothing, and then `on-failure` says what becomes of the message. It
// isn't asked again in this session; a failure of tempfail or reject meets each further MAIL.
//
// A filter that accepts isn't asked about the rest of the message (CONNECT, HELO: of the session); the others are.
#pragma once

#include "core/config/config.h"
#include "rt/metric.h"
#include "rt/transport.h"
#include "wire/link_frame.h"

struct smtpd_filters;

// Of the session, asked for at each MAIL; empty where it isn't known. Views that last as long as the transaction.
struct smtpd_filter_facts {
    struct netaddr client, local;
    struct slice name; // of the client, confirmed
    struct slice ptr;  // that DNS gives it, confirmed or not
    struct slice helo;
    bool esmtp;
    struct slice tls_version, cipher, cipher_bits; // all empty: no TLS
    struct slice cert_subject, cert_issuer;        // of a client's verified certificate: "/O=Example/CN=alice"
    struct slice user, auth_type;
    struct slice author;   // AUTH= of MAIL, without its xtext
    struct slice queue_id; // the macro i
};

// What filters are asked with; outlives them. `arg` is smtpd_filters_new's.
struct smtpd_filter_outside {
    // A connection to config->gate.filters[index].
    FIBER_FN bool (*open)(void *arg, size_t index, struct transport **out, struct err *e);
    void (*facts)(void *arg, struct smtpd_filter_facts *out);
    // What a filter said, or how it failed, in words: "reject: 550 5.7.1 spam", "adds X-Spam", "broke off: ...".
    void (*said)(void *arg, const struct config_filter *f, struct slice words);
    // How one of them answered, of a message, a recipient or a client; going on is counted at the message's end. NULL:
    // nobody counts. The second: how long the answer to the end of a message took.
    void (*counted)(void *arg, enum metric_label_FILTER result);
    void (*ended)(void *arg, int64_t ns);
    // `bytes` more of content are held (negative: given back). False: there is no room. NULL: nobody counts.
    bool (*hold)(void *arg, int64_t bytes);
};

struct smtpd_filters *smtpd_filters_new(const struct config *c, enum role role,
                                        const struct smtpd_filter_outside *outside, void *arg);
FIBER_FN void smtpd_filters_free(struct smtpd_filters *f); // says QUIT, without waiting; takes NULL

// Whether smtpd_filters_new would give any.
bool smtpd_filters_wanted(const struct config *c, enum role role);

enum smtpd_filter_what { SMTPD_FILTER_GO_ON, SMTPD_FILTER_REFUSE, SMTPD_FILTER_DISCARD };

struct smtpd_filter_verdict {
    enum smtpd_filter_what what; // DISCARD: the message is taken and dropped; from then on nothing more is asked
    struct err why;              // REFUSE: the reply; its text has LF between lines
    struct slice text;           // REFUSE: the same text uncut; valid until the next call
    bool end;                    // REFUSE: and the session with it
    size_t filter;               // index into config->gate.filters of who said so
};

// Writes the reply that a REFUSE means.
void smtpd_filters_reply(const struct smtpd_filter_verdict *v, struct buf *out);

// `args` is what came in <> and the parameters behind, as `SIZE=100 BODY=8BITMIME`.
FIBER_FN void smtpd_filters_mail(struct smtpd_filters *f, struct slice mailbox, struct slice params,
                                 struct smtpd_filter_verdict *v);
FIBER_FN void smtpd_filters_rcpt(struct smtpd_filters *f, struct slice mailbox, struct slice params,
                                 struct smtpd_filter_verdict *v);
// For filters that want to know of refused recipients too (SMFIP_RCPT_REJ).
FIBER_FN void smtpd_filters_rcpt_refused(struct smtpd_filters *f, struct slice mailbox, const struct err *why);
FIBER_FN void smtpd_filters_data(struct smtpd_filters *f, struct smtpd_filter_verdict *v);
// A command that we don't know, in a transaction.
FIBER_FN void smtpd_filters_unknown(struct smtpd_filters *f, struct slice line, struct smtpd_filter_verdict *v);

// `section`: the fields that filters are to see, each with its CRLF; without the empty line. Copied. False: the verdict
// is known (smtpd_filters_end gives it), and what follows needn't be told.
FIBER_FN bool smtpd_filters_header(struct smtpd_filters *f, struct slice section);
FIBER_FN bool smtpd_filters_body(struct smtpd_filters *f, struct slice piece);

struct smtpd_filtered { // valid until smtpd_filters_abort, _mail or _free
    struct smtpd_filter_verdict verdict;
    bool sender_changed;
    struct slice sender;           // normalized; empty: the null reverse-path
    struct slice *added, *removed; // recipients, normalized (a local part alone has no "@")
    size_t added_n, removed_n;
    bool header_changed;
    struct slice header; // the new section: lines end in CRLF, nothing is bare; without the empty line
    size_t top;          // bytes of it that stand in front of our own Received
    bool body_changed;   // then smtpd_filters_piece gives it: lines end in CRLF, no NUL
    uint64_t body_size;
    bool quarantine;
    struct slice reason; // of quarantine
};

FIBER_FN void smtpd_filters_end(struct smtpd_filters *f, struct smtpd_filtered *out);

// The new body, piece by piece from its start; false at the end. Each is valid until smtpd_filters_abort.
bool smtpd_filters_piece(struct smtpd_filters *f, struct slice *out);

FIBER_FN void smtpd_filters_abort(struct smtpd_filters *f);
