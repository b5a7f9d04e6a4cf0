// message: the payloads of the links' frames (wire/link_frame.h) as values. Writing appends to a buffer; reading is
// for bytes that another process sent: views into the input, arrays in the arena, false for anything malformed.
#pragma once

#include "core/queue/envelope.h"

enum { MESSAGE_INLINE_MAX = 64 * 1024 }; // bytes of content that travel inside one frame; more goes in pieces

// --- smtpd, inject -> queue -----------------------------------------------------------------------------------------
//
//   small:  SUBMIT {whole content}                                 -> SUBMIT_REPLY
//   large:  SUBMIT_OPEN {} or {reserve}                            -> SUBMIT_REPLY (a slot)
//           SUBMIT_PIECE {slot, front, bytes} one at a time        -> SUBMIT_REPLY
//           SUBMIT {slot, the last bytes}                          -> SUBMIT_REPLY
//           or SUBMIT_ABORT {slot}, not answered

struct message_submit {
    uint64_t queue_id; // chosen by the sender (core/queue/queue_id.h); 0 never
    uint32_t slot;     // of SUBMIT_OPEN's answer; 0 when all content is here
    struct envelope envelope;
    struct slice content; // lines end in CRLF; what follows the pieces of the slot
};

// The payload is the head that this writes, followed by the content's bytes to the frame's end.
bool message_submit_pack_head(struct buf *b, const struct message_submit *m);
bool message_submit_unpack(struct slice payload, struct arena *arena, struct message_submit *out);

// SUBMIT_OPEN: room for what is known only when the rest has been sent (a signature) and yet stands before it.
enum { MESSAGE_RESERVE_MAX = 80 * 1024 * 1024 }; // bytes: the largest header section that can be configured, and more
bool message_open_pack(struct buf *b, uint32_t reserve);
bool message_open_unpack(struct slice payload, uint32_t *reserve); // empty: 0

struct message_piece {
    uint32_t slot;
    bool front;         // goes into the reserve, right before all that was sent
    struct slice bytes; // at most MESSAGE_INLINE_MAX
};
bool message_piece_pack_head(struct buf *b, uint32_t slot); // also of SUBMIT_ABORT
bool message_front_pack_head(struct buf *b, uint32_t slot);
bool message_piece_unpack(struct slice payload, struct message_piece *out);

struct message_submit_reply {
    bool ok;              // SUBMIT: durable on disk now
    uint32_t slot;        // SUBMIT_OPEN: the slot
    uint16_t smtp;        // when not ok: 452, 451, 552
    uint16_t enhanced[3]; // when not ok: RFC 3463 status, of the same class; {0} where nothing better is known
    struct slice text;    // when not ok: for the client
};
bool message_submit_reply_pack(struct buf *b, const struct message_submit_reply *m);
bool message_submit_reply_unpack(struct slice payload, struct message_submit_reply *out);

// --- queue -> relay, deliver, inject --------------------------------------------------------------------------------

enum message_work_kind { MESSAGE_WORK_RELAY_MX, MESSAGE_WORK_RELAY_HOST, MESSAGE_WORK_DELIVER, MESSAGE_WORK_NOTIFY };

// One recipient of an attempt. For NOTIFY: one that failed, with why.
struct message_work_recipient {
    uint32_t index;        // in the message's envelope; comes back in the outcome
    struct slice address;
    struct slice original;
    uint16_t smtp;         // NOTIFY: last reply code, 0 where there was none
    uint16_t enhanced[3];  // NOTIFY: RFC 3463 status; {5,0,0} where nothing better is known
    struct slice reason;   // NOTIFY: the remote's words or ours
    struct slice remote;   // NOTIFY: "host[ip]" that said so; empty for ourselves
    bool expired;          // NOTIFY: given up after the time limit
};

struct message_work {
    enum message_work_kind kind;
    uint64_t queue_id;
    struct slice host; // RELAY_MX: the domain whose MX to ask. RELAY_HOST: name or address. DELIVER: the maildir pattern
    uint16_t port;     // RELAY_*
    uint32_t flags;    // enum envelope_flags
    struct slice sender;
    struct slice session;
    struct wall arrived;
    uint32_t attempt;  // 1 for the first
    struct message_work_recipient *recipients;
    size_t recipients_n;
    uint64_t size;        // bytes of the content
    struct slice content; // all of it when size <= MESSAGE_INLINE_MAX; else empty: ask by READ. NOTIFY: the header
                          // section, cut at 32 KiB
};
bool message_work_pack_head(struct buf *b, const struct message_work *m);
bool message_work_unpack(struct slice payload, struct arena *arena, struct message_work *out);

// READ {queue_id, offset, n <= MESSAGE_INLINE_MAX} -> READ_REPLY {bytes}; empty bytes: no such message (any more).
struct message_read {
    uint64_t queue_id, offset;
    uint32_t n;
};
bool message_read_pack(struct buf *b, const struct message_read *m);
bool message_read_unpack(struct slice payload, struct message_read *out);

// --- relay, deliver, inject -> queue: OUTCOME, under the id of the WORK frame --------------------------------------

enum message_result { MESSAGE_DELIVERED, MESSAGE_DEFERRED, MESSAGE_FAILED };

struct message_outcome_recipient {
    uint32_t index;
    enum message_result result;
    uint16_t smtp;        // 0 where no reply came
    uint16_t enhanced[3];
    struct slice reason;  // the reply's text or our error's; bounded to 500 bytes
};

// How the destination as a whole did, for its concurrency: a recipient's 550 says nothing against the host.
enum message_site { MESSAGE_SITE_WORKED, MESSAGE_SITE_FAILED, MESSAGE_SITE_UNTRIED };

struct message_outcome {
    enum message_site site;
    struct slice remote;       // "mx.example.org[192.0.2.1]:25"; empty where there was none
    uint32_t connection_use;   // messages on that connection, this one included
    uint32_t ms_connect, ms_transfer; // for the log's delays
    bool tls;
    struct message_outcome_recipient *recipients; // exactly those of the work
    size_t recipients_n;
};
bool message_outcome_pack(struct buf *b, const struct message_outcome *m);
bool message_outcome_unpack(struct slice payload, struct arena *arena, struct message_outcome *out);

// --- relay -> resolver ----------------------------------------------------------------------------------------------

enum message_dns_type { MESSAGE_DNS_A = 1, MESSAGE_DNS_PTR = 12, MESSAGE_DNS_MX = 15, MESSAGE_DNS_TXT = 16, MESSAGE_DNS_AAAA = 28 };
enum message_dns_status { MESSAGE_DNS_OK, MESSAGE_DNS_NODATA, MESSAGE_DNS_NXDOMAIN, MESSAGE_DNS_FAILED };
enum message_dns_security { MESSAGE_DNS_INSECURE, MESSAGE_DNS_SECURE, MESSAGE_DNS_BOGUS };

struct message_resolve {
    uint16_t type;
    struct slice name; // A-labels, no final dot needed
};
bool message_resolve_pack(struct buf *b, const struct message_resolve *m);
bool message_resolve_unpack(struct slice payload, struct message_resolve *out);

struct message_dns_record {
    uint16_t preference; // MX
    struct netaddr ip;   // A, AAAA; port 0
    struct slice text;   // MX, PTR: the name without final dot, "" for the root; TXT: the strings joined
};
enum { MESSAGE_DNS_RECORDS_MAX = 100 };

struct message_resolve_reply {
    enum message_dns_status status;
    enum message_dns_security security;
    uint32_t ttl;      // seconds
    struct slice why;  // FAILED: "SERVFAIL", "timeout", the validation failure
    struct slice canonical; // where CNAMEs led
    struct message_dns_record *records;
    size_t records_n;
};
bool message_resolve_reply_pack(struct buf *b, const struct message_resolve_reply *m);
bool message_resolve_reply_unpack(struct slice payload, struct arena *arena, struct message_resolve_reply *out);

// --- smtpd, inject -> lookup: EXPAND {address} -----------------------------------------------------------------------

// BROKEN: an alias can't be followed until somebody puts it right. FAILED: no answer now.
enum message_expansion { MESSAGE_EXPAND_OK, MESSAGE_EXPAND_UNKNOWN, MESSAGE_EXPAND_BROKEN, MESSAGE_EXPAND_FAILED };

struct message_expand_reply {
    enum message_expansion result;
    struct slice why;         // FAILED, BROKEN: for our own log, not for a client
    struct slice *addresses;  // OK: final addresses, local@domain
    size_t addresses_n;
};
bool message_expand_reply_pack(struct buf *b, const struct message_expand_reply *m);
bool message_expand_reply_unpack(struct slice payload, struct arena *arena, struct message_expand_reply *out);

// --- submission -> lookup: OWNS -> OWNS_REPLY ------------------------------------------------------------------------

struct message_owns {
    struct slice user;    // lower case
    struct slice address; // local@domain, normalised
};
bool message_owns_pack(struct buf *b, const struct message_owns *m);
bool message_owns_unpack(struct slice payload, struct message_owns *out);

enum message_ownership { MESSAGE_OWNS_NO, MESSAGE_OWNS_YES, MESSAGE_OWNS_FAILED }; // FAILED: no answer now
bool message_owns_reply_pack(struct buf *b, enum message_ownership result);
bool message_owns_reply_unpack(struct slice payload, enum message_ownership *out);

// --- control -> queue ------------------------------------------------------------------------------------------------
//
// QUEUE_LIST {after id, limit} -> QUEUE_REPLY {entries}; QUEUE_SHOW {id} -> one entry with all recipients and the
// header section; QUEUE_RETRY / QUEUE_DELETE {id, or 0 for all; or a destination; or a user} -> {count}

struct message_queue_query {
    uint64_t queue_id;       // LIST: begin after this one. SHOW, RETRY, DELETE: this one, 0 is all
    uint32_t limit;          // LIST: entries at most
    struct slice destination; // RETRY, DELETE: only recipients of this domain; empty is any
    struct slice user;        // RETRY, DELETE: only what was held of this user (ENVELOPE_HOLD); empty is any
};
bool message_queue_query_pack(struct buf *b, const struct message_queue_query *m);
bool message_queue_query_unpack(struct slice payload, struct message_queue_query *out);

enum message_recipient_state {
    MESSAGE_RECIPIENT_READY, MESSAGE_RECIPIENT_ACTIVE, MESSAGE_RECIPIENT_DEFERRED, MESSAGE_RECIPIENT_HELD,
    MESSAGE_RECIPIENT_FAILED, // its notification is on the way
    MESSAGE_RECIPIENT_DONE,
};

struct message_queue_recipient {
    struct slice address, original;
    enum message_recipient_state state;
    uint32_t attempts;
    struct wall next_attempt; // DEFERRED
    struct slice reason;      // of the last deferral or failure
    struct slice destination; // core/route/route.h
};

struct message_queue_entry {
    uint64_t queue_id;
    uint64_t size;
    struct wall arrived;
    struct slice sender;
    struct slice *tags; // of policy's rules
    size_t tags_n;
    struct message_queue_recipient *recipients;
    size_t recipients_n;
};

struct message_queue_reply {
    uint64_t count;   // RETRY, DELETE: how many; LIST, SHOW: messages in the whole queue
    bool more;        // LIST: there are later ones
    struct slice header; // SHOW
    struct message_queue_entry *entries;
    size_t entries_n;
};
bool message_queue_reply_pack(struct buf *b, const struct message_queue_reply *m);
bool message_queue_reply_unpack(struct slice payload, struct arena *arena, struct message_queue_reply *out);
