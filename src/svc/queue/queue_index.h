// queue_index: what the queue holds in memory: of each message where its record is, of each recipient how it stands.
// Envelope and content stay in the log. Reasons and names of destinations are kept once.
#pragma once

#include "base/heap.h"
#include "base/map.h"
#include "core/message/message.h"
#include "svc/queue/queue_log.h"

struct queue_destination;

// Why a recipient was deferred or failed. Shared by all that met the same.
struct queue_reason {
    uint32_t refs;
    uint32_t key_n;
    uint16_t smtp;
    uint16_t enhanced[3];
    bool expired;
    struct slice text, remote; // within `key`
    char key[];
};

// Recipients of one message for one destination, at most QUEUE_GROUP_MAX: they are tried together.
struct queue_group {
    struct list entry;     // READY: in its destination's list
    struct heap_entry due; // DEFERRED: next attempt. READY, its destination dead: its expiry
    struct queue_message *message;
    struct queue_destination *destination; // NULL once DONE
    struct wall next;                      // DEFERRED: next attempt
    uint32_t attempts;
    uint16_t number; // in the message
    uint16_t open;   // recipients that are OPEN; of a notification: 1
    uint8_t state;   // enum message_recipient_state
    uint8_t crashes; // of workers while they had it, in a row
};

struct queue_recipient {
    struct queue_reason *reason; // of the last deferral or failure, or NULL
    uint16_t group;
    uint8_t state;    // enum log_recipient_state
    bool known : 1;   // FAILED: durable, so the sender may be told
    bool telling : 1; // a notification about it is under way
};

struct queue_message {
    uint64_t id;
    struct list entry;      // of all, by arrival
    struct list by_segment; // of its segment
    struct queue_place place;
    const char *hot; // its payload in memory, only during a commit
    uint64_t size, file;
    struct wall arrived;
    uint32_t flags; // enum envelope_flags
    uint32_t recipients_n;
    uint32_t open; // recipients not DONE
    uint32_t pins; // attempts under way, outcomes that are not durable
    uint32_t start; // where in the file the content begins
    uint16_t groups_n;
    bool null_sender;
    struct queue_group *notify; // tells the sender; NULL while there is nothing to tell
    struct queue_recipient *recipients;
    struct queue_group groups[];
};

enum { QUEUE_GROUP_MAX = 100 };

struct queue_index {
    struct map messages; // by the eight bytes of the id
    struct map reasons;
    struct list all;
    uint64_t bytes; // of content
};

void queue_index_init(struct queue_index *x, const struct world *w);
void queue_index_done(struct queue_index *x); // frees all messages

struct queue_message *queue_index_find(const struct queue_index *x, uint64_t id);

// Zeroed but for counts and id; recipients and groups are the caller's to fill.
struct queue_message *queue_index_add(struct queue_index *x, uint64_t id, size_t recipients_n, size_t groups_n);

// Its latest record is here now.
void queue_index_place(struct queue_message *m, const struct queue_place *place);

// Out of the segment and the map. Its groups are in no list or heap any more.
void queue_index_remove(struct queue_index *x, struct queue_message *m);

// A hold on the reason; text and remote are cut at LOG_REASON_MAX.
struct queue_reason *queue_reason_get(struct queue_index *x, const struct log_recipient *r);
void queue_reason_put(struct queue_index *x, struct queue_reason *r); // takes NULL

// Replaces `*to`.
void queue_reason_set(struct queue_index *x, struct queue_reason **to, const struct log_recipient *r);

// A recipient as the log keeps it.
struct log_recipient queue_recipient_log(const struct queue_message *m, uint32_t index);

// Whether the sender is to be told about FAILED recipients: never of a null reverse-path (RFC 5321 4.5.5).
static inline bool queue_message_tells(const struct queue_message *m) {
    return !m->null_sender && !(m->flags & ENVELOPE_NOTICE);
}
