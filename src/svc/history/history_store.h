// history_store: the files of history: one is written, the others wait for their end.
#pragma once

#include "base/err.h"
#include "base/when.h"
#include "rt/disk/disk.h"

struct history_file {
    uint64_t number;
    uint64_t size; // bytes
    struct wall begun;
};

// Zeroed but for the first four is valid; then history_store_open.
struct history_store {
    struct disk *disk;
    uint64_t size_max;          // bytes of all
    int64_t age_max;            // ms; 0: any age
    uint64_t reserve;           // bytes of free disk that are left to mail
    struct history_file *files; // oldest first; the last one is written
    size_t files_n, files_cap;
    struct disk_file *now; // the last one, or NULL
    uint64_t total;        // bytes of all
    uint64_t number;       // of the latest file
    bool open;
};

// Takes up what is there. Where it fails the first write tries again.
MUST_CHECK bool history_store_open(struct history_store *s, struct err *e);

// Appends whole records (record_file.h), HISTORY_BATCH bytes at most. Where it fails the same may be tried again.
enum { HISTORY_BATCH = 512 * 1024 };
MUST_CHECK bool history_store_write(struct history_store *s, struct slice records, struct wall now, struct err *e);

// Removes what is too old.
void history_store_age(struct history_store *s, struct wall now);

void history_store_close(struct history_store *s);
