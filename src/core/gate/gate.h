// gate: what is known about one client and its mail, found out when somebody asks for the first time, and what policy
// says of it. The same for a session of the server, for `simulate` and for tests: they differ in what they give as
// `outside`.
//
//     gate_client; gate_decide(CONNECT)
//     gate_helo;   gate_decide(HELO)
//     gate_mail;   gate_decide(MAIL)               forgets what was known of an earlier message
//     gate_recipient; gate_decide(RECIPIENT)       for each
//     gate_content; gate_decide(CONTENT); gate_results
//     gate_told(what became of the message)
//
// Nothing outside answering is no reason to refuse: facts are then what speaks for the client.
#pragma once

#include "core/gate/dnsbl.h"
#include "core/message/message_gate.h"
#include "core/rules/rules.h"
#include "mail/header/auth_results.h"

enum { GATE_TARPIT_MAX_MS = 60 * MS_SECOND }; // of one verdict

struct gate_verdict;

// Of the session, for servers of policy; empty where it isn't known.
struct gate_wire {
    bool hello; // it said HELO, not EHLO
    struct slice tls_version, cipher;
    int cipher_bits;
    uint64_t size; // announced by MAIL
    bool stress;   // there are so many sessions that strangers have less time
};

// All may suspend the fiber; each but the first two may be NULL.
struct gate_outside {
    // A deadline for the questions that follow until the next call: checks dns-time.
    void (*hurry)(void *arg, int64_t ms);
    struct wall (*now)(void *arg);
    bool (*client)(void *arg, const struct message_client *m, struct arena *arena, struct message_client_reply *out);
    bool (*greylist)(void *arg, const struct message_greylist *m, struct message_greylist_reply *out);
    bool (*early)(void *arg, int64_t ms); // listens; whether the client talked
    bool (*in_table)(void *arg, struct slice table, struct slice value, bool *out);
    // Postfix's policy delegation: `request` is "name=value" lines; gives the action's words.
    bool (*ask)(void *arg, const struct config_filter *f, struct slice request, struct arena *arena,
                struct slice *answer);
    void (*wire)(void *arg, struct gate_wire *out);
    // An answer that isn't known, or can't be obeyed.
    void (*odd)(void *arg, const struct config_filter *f, struct slice answer);
    void (*record)(void *arg, const struct record *r);
    void (*dmarc_seen)(void *arg, const struct message_dmarc_seen *m);
    // For who replays: a fact as it was; false: it is to be found out.
    bool (*fact)(void *arg, enum fact which, struct slice name, struct fact_value *out);
    // For who wants to see: the rules of a stage that were looked at, and what came of them.
    void (*looked)(void *arg, enum config_stage stage, const struct rule_run *run, const struct gate_verdict *v);
    // State of each of the configuration's lists, of dnsbl_self_test; may change under way. NULL: all are good.
    const enum dnsbl_state *list_states;
};

struct gate;

// NULL: out of memory. `oracle` and `arg` outlive it.
struct gate *gate_new(const struct config *c, const struct gate_outside *outside, struct oracle *oracle, void *arg);
void gate_free(struct gate *g); // takes NULL

struct gate_client_facts {
    struct netaddr ip, local;
    struct slice session; // id
    struct slice user;    // who logged in; empty: nobody
    bool trusted, tls;
};
void gate_client(struct gate *g, const struct gate_client_facts *f); // forgets all that was known
void gate_tls(struct gate *g);                                       // STARTTLS; forgets HELO
void gate_helo(struct gate *g, struct slice name);
void gate_pipelined(struct gate *g);
void gate_mail(struct gate *g, struct slice sender);
void gate_recipient(struct gate *g, struct slice address, size_t n);

struct gate_content {
    uint64_t queue_id, size;
    unsigned hops;
    struct slice header;      // as it came; stays until gate_told
    struct dkim_verify *dkim; // begun, body fed; NULL: not verified (a trusted client)
    struct arc_verify *arc;
    const struct slice *recipients; // of the envelope
    size_t recipients_n;
};
void gate_content(struct gate *g, const struct gate_content *c);

enum gate_outcome { GATE_GO_ON, GATE_REFUSE, GATE_DISCARD };

struct gate_verdict { // slices live until the transaction's end (CONNECT, HELO: as long as the gate)
    enum gate_outcome outcome;
    struct err why;        // REFUSE: the reply
    bool end;              // REFUSE: and the session with it
    int64_t tarpit_ms;     // before the reply
    struct slice redirect; // empty: none; at RECIPIENT of this recipient, at CONTENT of all
    struct slice bcc;      // empty: none; at CONTENT, one more recipient
    // Only at CONTENT, and then what all stages said:
    bool hold, quarantine; // quarantine: its header and its tag are among those below
    struct slice *headers; // "Name: value", without CRLF
    size_t headers_n;
    struct slice *tags;
    size_t tags_n;
    const struct rule *rule; // that decided; NULL: none did
};

// Runs the stage's rules; at CONNECT a stranger's standing is asked for first. A refusal is recorded.
void gate_decide(struct gate *g, enum config_stage stage, struct gate_verdict *out);

// A refusal that no rule made (no such recipient, relaying denied, too large): recorded.
void gate_refused(struct gate *g, enum config_stage stage, const struct err *e);

// What a filter said; for the record.
void gate_filter(struct gate *g, struct slice name, struct slice words);

// Our Authentication-Results field with its CRLF (RFC 8601): all that can be found out is. For a trusted client, or
// when nothing is to be said, nothing.
bool gate_results(struct gate *g, struct buf *out);

// The message was taken (and is durable), discarded or refused: recorded unless its refusal already is, counted for
// DMARC's reports. `why`: NULL when it was taken or discarded. What gate_content was given isn't needed any more.
void gate_told(struct gate *g, const struct err *why);

// The domain that SPF or DKIM proved, for reputation; empty: none.
struct slice gate_proven_domain(struct gate *g);

// The client's name in DNS, which is asked for unless it is known. `*confirmed`: it leads back to the address. Empty:
// there is none, or nobody knows now.
struct slice gate_client_name(struct gate *g, bool *confirmed);

// The client's standing, of gate_outside.client; NULL before it was asked.
const struct message_client_reply *gate_standing(const struct gate *g);
