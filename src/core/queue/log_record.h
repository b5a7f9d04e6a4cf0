// log_record: the queue log's bytes: a segment's header, the records behind it, and what the records say. Reading is
// for bytes that a disk may have torn or damaged, and that may hold foreign mail.
//
//     segment: header, its copy at LOG_HEADER_COPY, records from LOG_FIRST on, each beginning at a multiple of
//     LOG_ALIGN record:  u32 crc, u32 payload length, u16 type, u16 zero, u32 prefix length, u64 seq, u64 synced,
//     payload, padding
//
// A record's checksum is seeded with the segment's number and salt. So what an earlier life of a recycled file left
// behind never counts, and no message's content, not even one met while looking for the next record behind damage, can
// pass for a record: its sender doesn't know the salt.
#pragma once

#include "base/arena.h"
#include "base/pack.h"
#include "base/when.h"

enum {
    LOG_HEADER = 64,        // bytes of a segment's header
    LOG_HEADER_COPY = 4096, // where its second copy lies: another block
    LOG_FIRST = 8192,       // where the first record lies
    LOG_RECORD_HEADER = 32,
    LOG_ALIGN = 8,
    LOG_PAYLOAD_MAX = 16 * 1024 * 1024,
};

// Who a segment is, and where the one before it ends: what a failed sync or a torn tail left behind `previous_end`
// never counts, and segments between `previous` and `number` never did.
struct log_segment {
    uint64_t number;
    uint64_t salt;
    uint64_t previous;     // number; 0: there is none
    uint64_t previous_end; // offset behind its last valid record
    uint64_t first_seq;    // of the first record to be written
};

void log_segment_pack(char to[LOG_HEADER], const struct log_segment *s);
bool log_segment_unpack(const char from[LOG_HEADER], struct log_segment *out);

enum log_record_type {
    LOG_RECORD_MESSAGE = 1, // a new message: the payload of its SUBMIT
    LOG_RECORD_STATE,       // a message with more than that: log_state, then the payload of its SUBMIT
    LOG_RECORD_OUTCOME,     // log_outcome
    LOG_RECORD_TYPE_END
};

struct log_record {
    enum log_record_type type;
    uint64_t seq;    // counts records, over all segments
    uint64_t synced; // all records up to this were durable when this one was written
    uint32_t prefix; // STATE: bytes of the payload before that of SUBMIT
    struct slice payload;
};

static inline size_t log_record_size(size_t payload) {
    return (LOG_RECORD_HEADER + payload + LOG_ALIGN - 1) & ~(size_t)(LOG_ALIGN - 1);
}

// The header of a record whose payload is `r->payload` behind `prefix` (empty, or r->prefix bytes).
void log_record_header(char to[LOG_RECORD_HEADER], const struct log_segment *s, const struct log_record *r,
                       struct slice prefix);

enum log_record_got { LOG_RECORD_WHOLE, LOG_RECORD_MORE, LOG_RECORD_BAD };

// The record at the start of `in`. MORE: `*size` bytes are wanted. WHOLE: it takes `*size` bytes, padding included.
// `after` is the seq before it: one that is not greater is BAD.
enum log_record_got log_record_parse(struct slice in, const struct log_segment *s, uint64_t after,
                                     struct log_record *out, size_t *size);

// --- payloads

enum log_recipient_state {
    LOG_RECIPIENT_OPEN,   // to be tried (again)
    LOG_RECIPIENT_FAILED, // given up; the sender is to be told
    LOG_RECIPIENT_DONE,
};

struct log_recipient {
    uint32_t index; // in the envelope
    enum log_recipient_state state;
    uint32_t attempts;
    struct wall next; // OPEN: not before
    uint16_t smtp;
    uint16_t enhanced[3];
    bool expired;
    struct slice reason; // of the last deferral or failure
    struct slice remote;
};

enum { LOG_REASON_MAX = 500 }; // bytes of `reason` and of `remote`; more is cut when written

struct log_outcome {
    uint64_t queue_id;
    struct log_recipient *recipients;
    size_t recipients_n;
};
bool log_outcome_pack(struct buf *b, const struct log_outcome *m);
bool log_outcome_unpack(struct slice payload, struct arena *arena, struct log_outcome *out);

// What stands before the payload of SUBMIT in a STATE record. Recipients that are not named are OPEN and untried.
struct log_state {
    uint64_t file;  // large content lies in the file of this number; 0: it follows the envelope
    uint64_t size;  // of the content
    uint32_t start; // where in the file it begins
    struct log_recipient *recipients;
    size_t recipients_n;
};
bool log_state_pack(struct buf *b, const struct log_state *m);
bool log_state_unpack(struct slice prefix, struct arena *arena, struct log_state *out);
