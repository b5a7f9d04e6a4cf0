// message_sender: payloads of the links about what is remembered of those who send to us: control asks, policy answers.
#pragma once

#include "core/message/message_policy.h"

// --- control -> policy: SENDER_LIST, SENDER_CLEAR, SENDER_BLOCK, SENDER_ALLOW with a message_policy_query ->
// SENDER_REPLY. Its `what`: an address, a network, a domain or a mailbox; empty: all (LIST, CLEAR)

enum message_sender_kind {
    MESSAGE_SENDER_ADDRESS,
    MESSAGE_SENDER_NETWORK,
    MESSAGE_SENDER_DOMAIN,
    MESSAGE_SENDER_MAILBOX,
    MESSAGE_SENDER_KINDS
};

enum message_sender_state {
    MESSAGE_SENDER_BLOCKED,  // by a person
    MESSAGE_SENDER_ALLOWED,  // likewise
    MESSAGE_SENDER_SHUT_OUT, // until `until`, for `points`
    MESSAGE_SENDER_COUNTED,  // has points
    MESSAGE_SENDER_KNOWN,    // by `good` messages since `since`
    MESSAGE_SENDER_SEEN,     // `good` messages, not known yet
    MESSAGE_SENDER_WAITING,  // greylisted at `since`; from `until` on it passes
    MESSAGE_SENDER_PROVEN,   // came back, last at `since`; forgotten at `until`
    MESSAGE_SENDER_WROTE_TO, // by us, last at `since`; forgotten at `until`
    MESSAGE_SENDER_STATES
};

extern const char *const message_sender_kind_names[MESSAGE_SENDER_KINDS + 1];   // "address"; NULL ends
extern const char *const message_sender_state_names[MESSAGE_SENDER_STATES + 1]; // "shut-out"; NULL ends

struct message_sender_entry {
    enum message_sender_kind kind;
    enum message_sender_state state;
    struct slice what;
    struct slice sender, recipient; // WAITING, PROVEN: the sender's domain; WAITING: the recipient
    uint32_t points, good;
    struct wall since, until; // 0: none
    struct slice why;         // the points
};

struct message_sender_reply {
    bool ok;        // BLOCK, ALLOW: else it is nothing of which that can be said
    uint32_t count; // LIST: of all; CLEAR: how many were forgotten
    struct message_sender_entry *entries;
    size_t entries_n;
};
bool message_sender_reply_pack(struct buf *b, const struct message_sender_reply *m);
bool message_sender_reply_unpack(struct slice payload, struct arena *arena, struct message_sender_reply *out);
