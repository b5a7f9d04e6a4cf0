// message_policy: payloads of the links about what users and their clients may do for now: failures of log-in, quotas,
// and the guard.
#pragma once

#include "base/arena.h"
#include "base/pack.h"
#include "base/when.h"
#include "wire/netaddr.h"

// --- auth -> policy: before a secret is looked at TRY -> TRY_REPLY, and afterwards TRIED, not answered

struct message_try {
    struct netaddr client;
    struct slice user; // lower case; empty: not known (an OAuth token, say)
};
bool message_try_pack(struct buf *b, const struct message_try *m);
bool message_try_unpack(struct slice payload, struct message_try *out);

struct message_try_reply {
    bool locked;        // don't look at the secret: say no
    int64_t delay_ms;   // to wait before a failure is told, whatever the failure
    struct slice why;   // locked: "account", "address", "network", "blocked"; for the log
};
bool message_try_reply_pack(struct buf *b, const struct message_try_reply *m);
bool message_try_reply_unpack(struct slice payload, struct message_try_reply *out);

struct message_tried {
    struct netaddr client;
    struct slice user;
    struct slice secret; // ok: the name of the app password that it was; empty: the main one, or not known
    bool ok;             // not told after a TRY that was locked
};
bool message_tried_pack(struct buf *b, const struct message_tried *m);
bool message_tried_unpack(struct slice payload, struct message_tried *out);

// --- submission -> policy: USE -> USE_REPLY: at the end of content, before the message goes to the queue

struct message_use {
    struct slice user; // lower case
    struct netaddr client;
    uint32_t recipients; // only_ask: with the one that is being named; 0 at MAIL
    uint32_t refused;    // recipients of this transaction that were refused: a sign of guessed addresses
    uint64_t size;       // bytes; at MAIL as announced by SIZE, or 0
    bool only_ask;       // at MAIL and RCPT: would it be refused? Nothing is counted
};
bool message_use_pack(struct buf *b, const struct message_use *m);
bool message_use_unpack(struct slice payload, struct message_use *out);

struct message_use_reply {
    bool ok;
    bool hold;            // ok: accept, and let the queue keep it (ENVELOPE_HOLD)
    uint16_t smtp;        // not ok: 452, 451, 550
    uint16_t enhanced[3]; // not ok
    struct slice text;    // not ok: for people: "you have sent 500 messages in this hour; try again in 12 minutes"
    struct slice why;     // hold: the figures, for the log
};
bool message_use_reply_pack(struct buf *b, const struct message_use_reply *m);
bool message_use_reply_unpack(struct slice payload, struct message_use_reply *out);

// --- policy -> inject: NOTICE

struct message_notice {
    struct slice to;      // address
    struct slice subject; // ASCII, one line
    struct slice text;    // UTF-8, lines end in LF
};
bool message_notice_pack(struct buf *b, const struct message_notice *m);
bool message_notice_unpack(struct slice payload, struct message_notice *out);

// --- control -> policy: LOCKOUT_LIST, LOCKOUT_CLEAR, GUARD_LIST, GUARD_RELEASE, GUARD_BLOCK, USER_USES -> POLICY_REPLY

struct message_policy_query {
    struct slice what; // an account, an address, or a network as 192.0.2.0/24; empty: all (LIST, USES, LOCKOUT_CLEAR)
    uint32_t limit;    // LIST, USES: entries at most
};
bool message_policy_query_pack(struct buf *b, const struct message_policy_query *m);
bool message_policy_query_unpack(struct slice payload, struct message_policy_query *out);

enum message_policy_kind {
    MESSAGE_POLICY_ACCOUNT,
    MESSAGE_POLICY_ADDRESS,
    MESSAGE_POLICY_NETWORK,
    MESSAGE_POLICY_SECRET, // USER_USES: one of an account's secrets
};
enum message_policy_state {
    MESSAGE_POLICY_COUNTED, // LOCKOUT_LIST: failures, not locked
    MESSAGE_POLICY_LOCKED,  // LOCKOUT_LIST
    MESSAGE_POLICY_LEARNING, MESSAGE_POLICY_NORMAL, MESSAGE_POLICY_HOLDING, MESSAGE_POLICY_BLOCKED, // GUARD_LIST
};

struct message_policy_entry {
    enum message_policy_kind kind;
    enum message_policy_state state;
    struct slice what;
    uint32_t failures;    // within the window
    struct wall until;    // LOCKED: the lock's end
    struct slice secret;  // SECRET: its name; empty: the main one
    struct wall used;     // SECRET: when it was last used
    uint32_t messages, recipients;              // GUARD: in this hour
    uint32_t messages_bound, recipients_bound;  // GUARD: held past these; 0 while it learns
    uint32_t held;        // GUARD: messages
    struct slice why;     // HOLDING, BLOCKED
};

struct message_policy_reply {
    uint32_t count; // CLEAR, RELEASE, BLOCK: how many were changed. LIST: of all
    struct message_policy_entry *entries;
    size_t entries_n;
};
bool message_policy_reply_pack(struct buf *b, const struct message_policy_reply *m);
bool message_policy_reply_unpack(struct slice payload, struct arena *arena, struct message_policy_reply *out);
