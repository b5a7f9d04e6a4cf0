// blast: what the parts of the load generator share: the job, the sessions, and what was counted.
#pragma once

#include "hist.h"

#include "base/slice.h"

#include <netinet/in.h>
#include <openssl/ssl.h>

enum { BLAST_RECIPIENTS_MAX = 100, BLAST_FAILURES_MAX = 10000, BLAST_INPUT = 2048 };

struct blast_job {
    struct sockaddr_in to;
    uint64_t connections;
    uint64_t messages;       // in all
    uint64_t per_connection; // messages before QUIT and a new connection, 0: all
    uint64_t size;           // of a message in bytes, header included
    uint64_t recipients;
    uint64_t sources; // come from this many addresses, 127.0.1.1, 127.0.2.1, ...; 0: the kernel's choice
    uint64_t opening; // connections that may wait for their greeting at once
    double seconds;   // no message begins later, 0: no limit
    double crowd;     // idle crowd: hold all connections open for so long after EHLO
    double give_up;   // seconds after which all is ended
    bool pipelining, starttls, json;
    bool tls;    // from the first byte
    bool resume; // each place goes on with the TLS session of the connection before
    const char *from, *recipient;
    const char *content;         // a file with what is sent, without the final dot; NULL: written here
    double drip;                 // seconds: of an idle crowd, a byte from each session every so often; 0: none
    const char *user, *password; // NULL: no AUTH
};

enum session_state {
    SESSION_CLOSED,
    SESSION_CONNECTING,
    SESSION_GREETING,
    SESSION_EHLO,
    SESSION_STARTTLS,
    SESSION_HANDSHAKE,
    SESSION_AUTH,
    SESSION_MAIL, // this and the next three: a reply to that command is awaited
    SESSION_RCPT,
    SESSION_DATA,
    SESSION_CONTENT,
    SESSION_IDLE,
    SESSION_QUIT,
};

struct session {
    int fd;
    enum session_state state;
    uint32_t events; // that epoll watches
    unsigned recipients_answered;
    bool opening;        // counts in blast.opening: not greeted yet
    bool reopen;         // waits for a free place among those that are opening
    bool known;          // has authenticated
    SSL *tls;            // NULL before STARTTLS
    SSL_SESSION *ticket; // of the connection before; NULL: none
    uint64_t messages;
    int64_t opened_ns, begun_ns;
    struct slice out; // still to be sent; the bytes are the job's
    size_t in_n;
    char in[BLAST_INPUT];
};

struct blast {
    struct blast_job job;
    int epoll;
    SSL_CTX *tls;
    struct session *sessions;
    uint64_t opened_slots; // sessions[0..opened_slots) have been begun once
    uint64_t active, opening;

    // The same for every message, so written once: what is sent costs the generator next to nothing.
    struct slice auth, mail, rcpt[BLAST_RECIPIENTS_MAX], transaction, content;

    uint64_t begun, done, failed, temporary, connections, connect_failed, handshakes, resumed;
    int64_t last_ns; // when the last message was acknowledged
    struct hist latency;
    char last_error[256];
};

// blast_text.c: fills auth, mail, rcpt, transaction and content.
void blast_write_texts(struct blast *b);

// blast_session.c
void session_open(struct blast *b, struct session *s);
void session_event(struct blast *b, struct session *s, uint32_t events);
int session_keep_ticket(SSL *tls, SSL_SESSION *ticket); // a callback of OpenSSL

static inline bool blast_more(const struct blast *b) {
    return b->job.crowd == 0 && b->begun < b->job.messages && b->failed < BLAST_FAILURES_MAX;
}
