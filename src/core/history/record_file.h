// record_file: segments of history on disk: a header, then packed records, each with its length and checksum. What
// comes behind a torn or damaged one isn't read: it is only history.
//
//     header   8 bytes magic, i64 when it was begun (ms since 1970)
//     record   u32 length, u32 CRC32C of the bytes, bytes
#pragma once

#include "core/history/record.h"

enum {
    RECORD_FILE_HEADER = 16,
    RECORD_FILE_FRAME = 8, // before each record
    RECORD_FILE_NAME = 17, // "0000000000000001", NUL-terminated
};

bool record_file_begin(struct buf *b, struct wall begun);
bool record_file_add(struct buf *b, struct slice packed);

// Takes the header off; false where it is none.
bool record_file_open(struct slice *rest, struct wall *begun);

// Takes the next record off; false at the end, or where it is torn or damaged: then `*rest` isn't empty.
bool record_file_next(struct slice *rest, struct slice *packed);

void record_file_name(uint64_t number, char to[RECORD_FILE_NAME]);
bool record_file_number(const char *name, uint64_t *out); // false: not a name of ours
