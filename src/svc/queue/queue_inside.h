// queue_inside: what the sources of the queue's service share.
#pragma once

#include "core/queue/queue_id.h"
#include "core/history/record.h"
#include "rt/fiber/fiber.h"
#include "rt/journal.h"
#include "rt/metric.h"
#include "svc/peer.h"
#include "svc/queue/queue.h"
#include "svc/queue/queue_schedule.h"

enum {
    QUEUE_SLOTS_MAX = 1000,             // large messages on their way over one link
    QUEUE_SETTLE_MS = 20,               // an outcome waits so long for a batch at most
    QUEUE_SETTLES_MAX = 10000,          // outcomes that are not durable; past it no more work is handed out
    QUEUE_ARENA_MAX = 64 * 1024 * 1024, // bytes, for what one frame unpacks to
    QUEUE_RETRY_MS = 1000,              // until a failed write of outcomes is tried again
    QUEUE_COPY_BATCH = 256 * 1024,      // bytes that compaction adds to a batch
};

struct queue_service;

// A link and its reader.
struct queue_peer {
    struct peer_link base; // for metrics_answer; its peer is not used
    struct list entry;
    struct queue_service *q;
    enum role role;
    struct arena arena; // of the frames that were received together
    struct fiber *reader;
    uint32_t waits;   // submissions of the batch: their bytes are the link's
    struct map slots; // of queue_slot by number
    uint32_t last_slot;
    struct list attempts;
    uint32_t attempts_n;
};

// A large message that comes in pieces. Its file is `queue/big/%016x`.
struct queue_slot {
    uint32_t number;
    uint64_t file;
    struct disk_file *open;
    uint64_t size;  // of the content
    uint32_t start; // where it begins; before it is room for more in front
    bool failed;
};

// A submission that waits for its batch; in the peer's arena.
struct queue_submit {
    struct list entry;
    struct queue_peer *peer; // NULL: it is gone, nobody is to be answered
    uint64_t frame_id;
    struct message_submit m;
    struct queue_slot *slot; // owned; NULL when all content is here
    struct queue_entry record;
    struct buf prefix;
};

// Outcomes of one message that are not durable yet.
struct queue_settle {
    struct list entry;
    struct queue_message *message; // pinned
    struct buf payload;
    struct queue_entry record;
    size_t n;
    struct queue_settled {
        uint32_t index;
        bool failed; // is FAILED in the log by this
    } settled[];
};

// A message that compaction copies forward in this batch.
struct queue_copy {
    struct list entry;
    uint64_t id;
    struct buf payload;
    struct queue_entry record;
};

struct queue_attempt {
    struct list entry; // of its peer
    struct queue_peer *peer;
    uint32_t slot; // in the table
    uint64_t id;   // of the WORK frame
    struct queue_group *group;
    struct mono started;
    size_t n;
    struct queue_tried {
        uint32_t index;
        struct slice address; // behind the array
    } tried[];
};

// Outcomes that history is told of at the end of the turn.
struct queue_history {
    struct loop_task send;
    struct buf waiting;
    uint64_t n;
};

struct queue_service {
    struct world *world;
    const struct config *config;
    struct fiber_group group;
    struct metric metric;
    struct queue_log log;
    struct queue_index index;
    struct queue_schedule schedule;
    struct list peers;
    struct list submits, settles, copies;
    size_t settles_n, copies_bytes;
    struct queue_entry **entries; // scratch of the batch
    size_t entries_cap;
    struct loop_task commit, pump;
    struct loop_timer settle_timer, due_timer, pump_timer;
    struct mono settle_due;
    struct buf scratch, content; // of an attempt being made
    struct arena arena;          // likewise
    struct queue_attempt **attempts;
    size_t attempts_cap, attempts_n;
    uint32_t generation;
    struct queue_history history;
    struct fiber_cond work; // for compaction and filling
    uint64_t free_bytes;
    bool low;               // less than the reserve is free
    bool failing;           // the last batch was not written
    struct mono failed;     // and when that was
    struct mono open_again; // there is no segment to write to: not to be tried before
    struct err open_error;  // and why
    bool stopping, started;
};

// --- queue_commit.c

void queue_commit_now(struct queue_service *q);
void queue_commit_init(struct queue_service *q);

// Makes the states of these recipients durable, soon. Copies what it needs.
void queue_settle(struct queue_service *q, struct queue_message *m, const uint32_t *indices, size_t n);

// --- queue_accept.c: submissions

void queue_accept_submit(struct queue_peer *p, const struct link_frame *f);
void queue_accept_open(struct queue_peer *p, const struct link_frame *f);
void queue_accept_piece(struct queue_peer *p, const struct link_frame *f);
void queue_accept_abort(struct queue_peer *p, const struct link_frame *f);
void queue_accept_answer(const struct queue_submit *s, const struct err *e);            // NULL: durable
void queue_accept_end(struct queue_peer *p);                                            // its link is gone
bool queue_accept_seal(struct queue_service *q, struct queue_submit *s, struct err *e); // the file is durable
void queue_accept_free_slot(struct queue_service *q, struct queue_slot *slot, bool remove);

void queue_big_name(char to[QUEUE_NAME], uint64_t file);
void queue_big_remove(struct queue_service *q, uint64_t file);
void queue_big_remove_orphans(struct queue_service *q);

// --- queue_message.c: from record to message, and its end

// Makes the message of a record; the groups are not scheduled yet.
struct queue_message *queue_message_make(struct queue_service *q, const struct message_submit *m, uint64_t file,
                                         uint64_t size, const struct queue_place *place);
void queue_message_apply(struct queue_service *q, struct queue_message *m, const struct log_recipient *r, size_t n);
void queue_message_schedule(struct queue_service *q, struct queue_message *m);
// Whether the group is kept for ENVELOPE_HOLD, and not released since. queue_message_let_go makes it so; that it was is
// kept as its `next`, so that it has to be settled.
bool queue_message_holds(const struct queue_message *m, const struct queue_group *g);
void queue_message_let_go(struct queue_service *q, struct queue_group *g);

// As it was submitted, but for content in a file; read into `b` when it is not in memory, its checksum looked at.
bool queue_message_load(struct queue_message *m, struct buf *b, struct arena *arena, struct message_submit *out,
                        struct err *e);
// As above without content, all in the arena.
bool queue_message_envelope(struct queue_message *m, struct arena *arena, struct message_submit *out, struct err *e);
// Up to `n` bytes of content from `offset` on, added to `b`.
bool queue_message_content(struct queue_service *q, struct queue_message *m, uint64_t offset, size_t n, struct buf *b,
                           struct err *e);
// Forgets the message when nothing is open, pinned or untold.
void queue_message_release(struct queue_service *q, struct queue_message *m);
void queue_replay_record(void *service, const struct log_record *r, const struct queue_place *place);
void queue_replay_damage(void *service, const struct queue_damage_report *report);

// --- queue_attempt.c

void queue_pump(struct queue_service *q);
void queue_pump_soon(struct queue_service *q);
void queue_attempt_outcome(struct queue_peer *p, const struct link_frame *f);
void queue_attempt_read(struct queue_peer *p, const struct link_frame *f);
void queue_attempt_lost(struct queue_peer *p); // its link is gone
void queue_attempt_free_all(struct queue_service *q);

// --- queue_outcome.c: what becomes of recipients

struct queue_how { // for the log
    struct slice remote;
    uint32_t connection_use, ms_connect, ms_transfer;
    int64_t ms_total;
    bool tls;
};

// Applies one result to a recipient of `m` that is OPEN (or, of a notification, FAILED).
void queue_outcome_recipient(struct queue_service *q, struct queue_message *m, uint32_t index, struct slice address,
                             const struct message_outcome_recipient *r, const struct queue_how *how);
void queue_outcome_told(struct queue_service *q, struct queue_message *m, uint32_t index, struct slice address,
                        const struct message_outcome_recipient *r);
// After an attempt: the group is done, or waits; `at_once`: is tried again without a wait.
void queue_outcome_group(struct queue_service *q, struct queue_group *g, bool at_once);
// All open recipients of a group fail, for a reason of our own; without an attempt.
void queue_outcome_fail_group(struct queue_service *q, struct queue_group *g, const struct log_recipient *why);
void queue_outcome_due(struct queue_service *q); // groups and destinations whose time has come
void queue_outcome_block(struct queue_service *q, struct queue_destination *d, const struct message_outcome *o);
void queue_outcome_notify(struct queue_service *q, struct queue_message *m); // failures are durable: tell
void queue_outcome_set_timer(struct queue_service *q);
bool queue_expired(const struct queue_service *q, const struct queue_message *m);

// --- queue_history.c

void queue_history_init(struct queue_service *q);
void queue_history_attached(struct queue_service *q); // there is a link to history now
void queue_history_done(struct queue_service *q);
// `address` is empty where all recipients are meant.
void queue_history_tell(struct queue_service *q, enum record_outcome outcome, const struct queue_message *m,
                        struct slice address, const struct log_recipient *r, struct slice remote);

// --- queue_admin.c

void queue_admin_frame(struct queue_peer *p, const struct link_frame *f);

// --- queue_compact.c: fibers that keep space at hand

bool queue_compact_start(struct queue_service *q, struct err *e);
void queue_compact_copied(struct queue_service *q, struct queue_copy *copy); // durable
void queue_compact_look(struct queue_service *q);                            // after a batch
void queue_look_at_disk(struct queue_service *q);
