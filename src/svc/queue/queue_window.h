// queue_window: a segment's file seen through a window of memory, record by record. What can't be read is zeros, so
// damage: a bad sector must not hide what lies around it.
#pragma once

#include "core/queue/log_record.h"
#include "rt/disk/disk.h"

struct queue_window {
    struct disk_file *file;
    char *p;
    size_t cap, n;
    uint64_t base; // offset of p[0]
    uint64_t end;  // nothing behind it is looked at
    bool cancelled;
};

enum { QUEUE_WINDOW_STEP = 1024 * 1024, QUEUE_WINDOW_BLOCK = 4096 };

void queue_window_done(struct queue_window *w);
void queue_window_move(struct queue_window *w, struct disk_file *file, uint64_t end); // to another file

// `n` bytes at `at`, or as many as there are before the end. Valid until the next call.
struct slice queue_window_view(struct queue_window *w, uint64_t at, size_t n);

// WHOLE: `*out`, a view, takes `*size` bytes. Anything else: there is no good record.
enum log_record_got queue_window_record(struct queue_window *w, const struct log_segment *head, uint64_t at,
                                        uint64_t after, struct log_record *out, size_t *size);

// Where the next whole record is, at or behind `at`; w->end where there is none.
uint64_t queue_window_find(struct queue_window *w, const struct log_segment *head, uint64_t at, uint64_t after,
                           struct log_record *out, size_t *size);

// Whether a record at or behind `at` says that `seq` was durable.
bool queue_window_was_durable(struct queue_window *w, const struct log_segment *head, uint64_t at, uint64_t seq);

bool queue_window_all_zero(struct slice s);
