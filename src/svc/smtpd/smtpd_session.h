// smtpd_session: one SMTP session as a server (RFC 5321), straight-line on a fiber:
//
//     S: 220 mx1.example.org ESMTP
//     C: EHLO client.example.net          HELO too; MAIL before either is 503
//     S: 250-mx1.example.org ...
//     C: STARTTLS                         everything said before is forgotten (RFC 3207 4.2)
//     C: AUTH PLAIN AGJvYgBzZWNyZXQ=      on submission alone, over TLS alone; there MAIL before it is 530
//     C: MAIL FROM:<a@example.net>        begins a transaction; RSET, EHLO and the end of DATA end it
//     C: RCPT TO:<b@example.org>          each one accepted or refused by itself
//     C: DATA                             or BDAT n [LAST] (RFC 3030), but not both
//     S: 354 ...
//     C: (content) .
//     S: 250 2.0.0 ... queued as ...      only when the queue has it on disk
//     C: QUIT
#pragma once

#include "core/config/config.h"
#include "core/gate/dnsbl.h"
#include "mail/address.h"
#include "rt/journal.h"
#include "rt/metric.h"
#include "rt/stream.h"
#include "svc/smtpd/smtpd_backend.h"
#include "svc/smtpd/smtpd_pace.h"
#include "svc/smtpd/smtpd_record.h"
#include "svc/signing.h"
#include "svc/smtpd/smtpd_transaction.h"
#include "wire/link_frame.h"

struct smtpd_filters;

enum {
    SMTPD_SESSION_ID = 13,
    SMTPD_CLIENT_TEXT = 54,
    SMTPD_STRESS_MS = 10 * MS_SECOND, // of silence that a stranger has while there are too many
};

// What a mechanism of AUTH may build upon; empty where it isn't known.
struct smtpd_tls_facts {
    struct buf exporter;  // tls-exporter (RFC 9266)
    struct buf end_point; // tls-server-end-point (RFC 5929)
    struct buf subject;   // the user that the client's verified certificate names
};

// What filters are told of TLS.
struct smtpd_tls_told {
    const char *version, *cipher; // "TLSv1.3", "TLS_AES_256_GCM_SHA384"
    int bits;
    struct buf subject, issuer; // of the client's verified certificate: "/O=Example/CN=alice"
};

// What a session is given; outlives it.
struct smtpd_shared {
    const struct config *config;
    struct smtpd_backend *backend;
    struct journal *journal;
    struct metric *metrics;
    enum role role; // SMTPD: port 25. SUBMISSION: for users, who authenticate; trusted networks mean nothing there
    // TLS as a server over `inner`, which it takes when it succeeds. NULL: STARTTLS is not offered.
    FIBER_FN bool (*start_tls)(void *arg, struct transport *inner, struct mono deadline, struct transport **out,
                               struct err *e);
    void *tls_arg;
    const char *(*tls_cipher)(struct transport *t);                      // for Received; NULL: not known
    void (*tls_facts)(struct transport *t, struct smtpd_tls_facts *out); // for AUTH; NULL: nothing is known
    void (*tls_told)(struct transport *t, struct smtpd_tls_told *out);   // for filters; likewise
    // Who signs for whom, for submission: the latest of the process that has the keys, valid until the caller waits; it
    // gives NULL before there is any, and then nothing is taken. NULL: nobody signs. Is given signer.arg.
    const struct message_keys_set *(*signers)(void *arg);
    struct signer signer;
    const enum dnsbl_state *list_states; // of each of the configuration's lists; NULL: all are good
    struct smtpd_delegation *delegation; // NULL: no server of policy can be asked
    struct smtpd_wrote *wrote;           // NULL: nobody remembers
    struct smtpd_waited *waited;         // NULL: everybody waits for the greeting each time
    uint64_t held;                       // bytes of content that all sessions hold
    bool stress;                         // there are so many sessions that strangers who are slow must give way
    bool stopping;                       // after the command in hand, every session is ended with 421
    struct fiber_cond stopped;           // told when that is set
};

struct smtpd_session {
    struct smtpd_shared *shared;
    struct stream stream;
    struct netaddr client; // whom we serve: what PROXY or XCLIENT said, else who connected
    struct netaddr local;  // where it connected to; family NONE: not known
    char id[SMTPD_SESSION_ID];
    uint8_t client_text_n;
    char client_text[SMTPD_CLIENT_TEXT]; // "[192.0.2.1]" for envelopes
    bool trusted;                        // relaying is allowed, and the limits for strangers don't hold
    bool tls;
    bool tls_implicit; // the handshake comes before the greeting (RFC 8314); to be set before the run
    bool handshaking;  // nobody would understand a reply now
    bool xclient;      // may use XCLIENT: who connected is in `xclient from`
    bool idle;         // waits for a command with nothing in hand
    bool ending;       // no further command is read
    bool esmtp;
    bool ends_with_refusal;         // the next one
    enum message_seen_what misdeed; // that a refused command is; REFUSED: none, or it was told of
    uint32_t errors;
    uint32_t messages;
    uint32_t auth_failures;
    struct smtpd_gate *gate;               // NULL: a trusted client's, or a user's
    struct smtpd_filters *filters;         // NULL: none, or no message yet
    const char *auth_type;                 // of who authenticated: the mechanism, "plain"
    struct mono waits_since;               // while it waits for the client: for how long
    struct smtpd_pace pace;                // of its content
    int64_t talked_ms;                     // waited for commands while sessions were scarce, less what they led to
    struct buf user;                       // who authenticated, lower case; empty: nobody
    struct buf helo;                       // empty before EHLO
    struct buf name;                       // (smtpd_name.h)
    bool name_asked, name_confirmed;
    struct arena arena;                    // of the transaction
    struct smtpd_transaction *transaction; // NULL outside of one; in `arena`
};

// Takes `t`.
void smtpd_session_init(struct smtpd_session *s, struct smtpd_shared *shared, struct transport *t,
                        const struct netaddr *client, uint64_t id);

// Somebody else is the client, as PROXY or XCLIENT said: its address counts from now on.
void smtpd_session_set_client(struct smtpd_session *s, const struct netaddr *client);

// Whether sessions are scarce and this is a stranger's, who must not be slow.
bool smtpd_session_gives_way(const struct smtpd_session *s);

// How long to wait for the client: `ms`, and less for who gives way.
struct mono smtpd_session_patience(const struct smtpd_session *s, int64_t ms);

// As if the client had just connected: what it said, and who it is as a user, is forgotten. TLS stays.
void smtpd_session_forget(struct smtpd_session *s);

// Whether this is the listener for users.
static inline bool smtpd_is_submission(const struct smtpd_session *s) { return s->shared->role == ROLE_SUBMISSION; }

// The whole conversation. Returns when it is over, whoever ended it.
FIBER_FN void smtpd_session_run(struct smtpd_session *s);

// Told when shared->stopping was set: one that waits for a command with nothing in hand ends now with 421. Any fiber.
void smtpd_session_stop(struct smtpd_session *s);

void smtpd_session_done(struct smtpd_session *s);
