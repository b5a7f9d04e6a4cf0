// queue_log: the queue's one log: numbered segments `queue/log-%016x` below the state directory, written one behind the
// other. A segment is prewritten with zeros in full and synced before its use, and recycled by renaming. What goes
// wrong with the disk is told to the caller; nothing here logs. Calls block.
//
//     write    records of a batch behind the last durable one, one sync; or the segment is given up there, and the
//              next one's header says where it ended: what the failure left behind never counts
//     replay   every record that was durable, in order; see queue_replay.c for torn tails and damage
//     drop     the oldest segment, once no live message's record stands in it
//
// Only the oldest segment is ever dropped. A message's OUTCOME is written after its latest MESSAGE or STATE, so into
// the same or a later segment, and is needed as long as that record is there: dropped later, or together. A message
// that is copied forward takes its outcomes so far along in the STATE. So no outcome is lost before what it speaks of,
// and none outlives it in a way that matters: replay ignores outcomes of messages it doesn't know.
#pragma once

#include "core/queue/log_record.h"
#include "rt/world.h"

enum { QUEUE_SPARES_MAX = 3, QUEUE_NAME = 64 };

// A segment that is in use. Values that are never moved.
struct queue_segment {
    struct list entry; // in the log's, oldest first
    struct log_segment head;
    struct disk_file *file;
    uint64_t size;        // bytes
    uint64_t end;         // behind the last durable record
    struct list messages; // the index's: whose latest record stands here
    uint64_t live;        // bytes of those records
    bool unwritten;       // replay found nothing in it, not even what doesn't count
};

// Where a message's latest record is. The payload begins at `offset`.
struct queue_place {
    struct queue_segment *segment;
    uint32_t offset, length; // of the payload
    uint32_t prefix;         // bytes of it before the payload of SUBMIT
};

// A record to be written. What the slices view stays until queue_log_write returns.
struct queue_entry {
    enum log_record_type type;
    bool reserved; // may use the last spare segment: what helps to drain the queue
    struct slice prefix, payload;
    bool durable; // set by queue_log_write, with `place`
    struct queue_place place;
};

struct queue_spare {
    char name[QUEUE_NAME];
    struct disk_file *file;
    uint64_t size;
};

struct queue_log_counts {
    uint64_t syncs, syncs_failed, records, bytes, dropped, damaged;
};

struct queue_log {
    const struct world *world;
    struct disk *disk;
    uint64_t segment_size, reserve; // of the configuration
    struct list segments;
    size_t segments_n;
    struct queue_segment *current;           // written to; NULL: none could be had
    bool on_reserve;                         // it was the last spare: mail is refused until there is another
    bool unsynced_names;                     // the directory: to be synced before anything else is dropped
    uint64_t number, previous, previous_end; // last number given; the last segment that counts
    uint64_t seq, synced;
    struct queue_spare spares[QUEUE_SPARES_MAX];
    size_t spares_n;
    uint64_t spare_serial;
    struct disk_file *filling; // the next spare, so far as it is prewritten
    uint64_t filled;
    char *headers; // of the batch being written
    struct iovec *parts;
    size_t entries_cap;
    struct queue_log_counts counts;
};

enum queue_damage {
    QUEUE_DAMAGE_RECORDS, // bytes in the middle; kept aside in `kept`
    QUEUE_DAMAGE_SEGMENT, // a segment without a header; kept aside whole in `kept`
    QUEUE_DAMAGE_GONE,    // a segment that is not there
    QUEUE_DAMAGE_TAIL,    // the last segment ends with a write that was not finished; cut
};

struct queue_damage_report {
    enum queue_damage what;
    uint64_t segment, offset, length;
    const char *kept; // name; NULL where it could not be kept
};

struct queue_replay_hooks {
    void (*record)(void *arg, const struct log_record *r, const struct queue_place *place);
    void (*damage)(void *arg, const struct queue_damage_report *report);
    void *arg;
};

void queue_log_init(struct queue_log *l, const struct world *world, uint64_t segment_size, uint64_t reserve);
void queue_log_done(struct queue_log *l);

// Makes the directories, reads all that was durable, leaves the log ready for queue_log_open.
MUST_CHECK bool queue_replay(struct queue_log *l, const struct queue_replay_hooks *hooks, struct err *e);

// Sees that there is a segment to write to, prewriting one if need be. e->smtp 452: no room.
MUST_CHECK bool queue_log_open(struct queue_log *l, bool reserved, struct err *e);

// Writes and syncs all of `entries`, in order. False: those that are not `durable` are not in the log and never will
// be, unless written again; the reserved ones are to come first. e->smtp is 452 where there was no room, else 451.
MUST_CHECK bool queue_log_write(struct queue_log *l, struct queue_entry **entries, size_t n, struct err *e);

// Whether a record with so much payload fits any segment.
bool queue_log_fits(const struct queue_log *l, size_t payload);

// `n` bytes of a record's payload from `from` on.
MUST_CHECK bool queue_log_read(const struct queue_place *place, size_t from, void *to, size_t n, struct err *e);

// Gives the oldest segment back; no live message stands in it, and it is not the current one.
MUST_CHECK bool queue_log_drop_oldest(struct queue_log *l, struct err *e);

static inline struct queue_segment *queue_log_oldest(const struct queue_log *l) {
    return list_empty(&l->segments) ? NULL : LIST_ENTRY(l->segments.next, struct queue_segment, entry);
}

// --- queue_space: where segments come from

enum { QUEUE_SPARES_WANTED = 2, QUEUE_FILL_STEP = 512 * 1024 };

// A segment for writing; see queue_log_open.
MUST_CHECK bool queue_space_next(struct queue_log *l, bool reserved, struct err *e);

// Makes the current segment, opened as the reserve, one like others, by having a reserve again.
MUST_CHECK bool queue_space_restore(struct queue_log *l, struct err *e);

// Whether there are fewer spare segments than wanted, and then one step towards the next.
bool queue_space_wants(const struct queue_log *l);
MUST_CHECK bool queue_space_fill_step(struct queue_log *l, struct err *e);

// Takes a file that is no longer needed as a spare segment, or removes it.
MUST_CHECK bool queue_space_give(struct queue_log *l, const char *name, struct disk_file *file, uint64_t size,
                                 struct err *e);

void queue_space_name(char to[QUEUE_NAME], const char *kind, uint64_t number); // "queue/KIND-%016x"
