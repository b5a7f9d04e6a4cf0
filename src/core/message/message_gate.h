// message_gate: payloads of the links about strangers: what policy remembers of them, tables that rules match, results
// for DMARC reports, records for history, connections to filters.
#pragma once

#include "base/arena.h"
#include "base/pack.h"
#include "base/when.h"
#include "core/config/config_gate.h"
#include "core/history/record.h"
#include "wire/netaddr.h"

// --- smtpd -> policy: CLIENT -> CLIENT_REPLY: somebody connected, no trusted network's. Counts a connection

struct message_client {
    struct netaddr client;
    bool local; // loopback that isn't to be asked (config_checks.loopback): only rates that were written down hold
};
bool message_client_pack(struct buf *b, const struct message_client *m);
bool message_client_unpack(struct slice payload, struct message_client *out);

struct message_client_reply {
    bool ok;           // within all rates of connections; else 421 4.7.0 with `text`
    bool known;        // its mail was good so far
    bool shut_out;     // until `until`
    int64_t until_ms;  // from now
    int64_t tarpit_ms; // that replies to errors wait
    bool asks_senders; // people blocked some by name: to be asked about by GREYLIST
    struct slice
        text; // not ok or shut out: for people: "too many connections from 192.0.2.0/24; try again in 40 seconds"
};
bool message_client_reply_pack(struct buf *b, const struct message_client_reply *m);
bool message_client_reply_unpack(struct slice payload, struct message_client_reply *out);

// --- smtpd -> policy: TALLY -> TALLY_REPLY: one message (MAIL), one recipient (RCPT), against the rates

struct message_tally {
    enum config_rate_what what; // MESSAGES, RECIPIENTS, UNKNOWN, ERRORS
    struct netaddr client;
    bool local;
    struct slice helo, sender_domain, recipient; // lower case; empty: not known (yet)
};
bool message_tally_pack(struct buf *b, const struct message_tally *m);
bool message_tally_unpack(struct slice payload, struct message_tally *out);

struct message_tally_reply {
    bool ok;            // else 451 4.7.1 (UNKNOWN, ERRORS: 421 4.7.0, the session ends) with `text`
    uint32_t line;      // of the rate; 0: the client is shut out by now
    uint32_t tarpit_ms; // UNKNOWN, ERRORS: that its replies to errors wait by now
    struct slice text;  // not ok: for people
};
bool message_tally_reply_pack(struct buf *b, const struct message_tally_reply *m);
bool message_tally_reply_unpack(struct slice payload, struct message_tally_reply *out);

// --- smtpd -> policy: GREYLIST -> GREYLIST_REPLY

struct message_greylist {
    struct slice domain; // that SPF or DKIM proved; empty: the client's network is the key
    struct netaddr client;
    struct slice sender, recipient; // lower case; recipient is empty at content
    bool only_ask;                  // for the facts `proven` and `sender.blocked`: nothing is counted
};
bool message_greylist_pack(struct buf *b, const struct message_greylist *m);
bool message_greylist_unpack(struct slice payload, struct message_greylist *out);

enum message_proven { MESSAGE_PROVEN_NO, MESSAGE_PROVEN_CAME_BACK, MESSAGE_PROVEN_KNOWN, MESSAGE_PROVEN_WROTE_TO };

struct message_greylist_reply {
    enum message_proven proven; // not NO: it passes
    int64_t wait_ms;            // NO: until a second try counts
    bool blocked;               // a person blocked `sender` or its domain
};
bool message_greylist_reply_pack(struct buf *b, const struct message_greylist_reply *m);
bool message_greylist_reply_unpack(struct slice payload, struct message_greylist_reply *out);

// --- smtpd, submission -> policy: SEEN, not answered

enum message_seen_what {
    MESSAGE_SEEN_GOOD,    // a message was accepted; domain: what proved it
    MESSAGE_SEEN_REFUSED, // by a rule of policy or a filter
    MESSAGE_SEEN_EARLY,   // talked before the greeting, or pipelined before it is allowed
    MESSAGE_SEEN_UNKNOWN, // named a recipient that isn't there
    MESSAGE_SEEN_RELAY,   // tried to relay
    MESSAGE_SEEN_ERROR,   // of syntax or order
    MESSAGE_SEEN_WROTE,   // a user of ours, or a trusted client, wrote to `recipient`
    MESSAGE_SEEN_WHATS
};

struct message_seen {
    enum message_seen_what what;
    struct netaddr client;
    bool local;
    struct slice domain, recipient;
};
bool message_seen_pack(struct buf *b, const struct message_seen *m);
bool message_seen_unpack(struct slice payload, struct message_seen *out);

// --- smtpd -> lookup: MATCH -> MATCH_REPLY: is `value` in that table?

struct message_match {
    struct slice table, value;
};
bool message_match_pack(struct buf *b, const struct message_match *m);
bool message_match_unpack(struct slice payload, struct message_match *out);

enum message_match_result { MESSAGE_MATCH_NO, MESSAGE_MATCH_YES, MESSAGE_MATCH_FAILED };
bool message_match_reply_pack(struct buf *b, enum message_match_result r);
bool message_match_reply_unpack(struct slice payload, enum message_match_result *out);

// --- smtpd -> report: DMARC_SEEN, not answered: a message of a domain that wants reports (RFC 9990)

struct message_dmarc_auth {
    bool dkim; // else SPF
    struct slice domain, selector, result;
};

struct message_dmarc_seen {
    struct wall when;
    struct netaddr client;
    struct slice from_domain, record_domain, envelope_from, envelope_to; // the last two are domains
    struct slice record;                                                 // as published
    struct slice policy;      // none quarantine reject: what was published for this From
    struct slice disposition; // none quarantine reject: what was done
    struct slice override;    // RFC 9990's reason: "trusted_forwarder", "local_policy", ...; empty: none
    struct slice override_comment;
    bool dkim_aligned, spf_aligned;
    struct message_dmarc_auth *auths;
    size_t auths_n;
};
bool message_dmarc_seen_pack(struct buf *b, const struct message_dmarc_seen *m);
bool message_dmarc_seen_unpack(struct slice payload, struct arena *arena, struct message_dmarc_seen *out);

// --- report -> inject: POST: a message of our own, whole; not answered

struct message_post {
    struct slice sender; // empty: the null reverse-path
    struct slice recipient;
    struct slice content; // lines end in CRLF
};
bool message_post_pack(struct buf *b, const struct message_post *m);
bool message_post_unpack(struct slice payload, struct message_post *out);

// --- smtpd, submission, queue -> history: RECORDS, not answered: many at once

bool message_records_add(struct buf *b, const struct record *r);
// Takes the next off `rest`; false at the end, or when it is malformed: then `*rest` isn't empty.
bool message_records_next(struct slice *rest, struct slice *packed);
