// journal_line: one event as one line of text or JSON, at most JOURNAL_LINE bytes, whatever its values hold. Pure.
//
//     2026-11-21T10:41:15.123Z smtpd[1234] message-accepted session=4k2a9 from="a b@example.org" size=12
//     {"time":"2026-11-21T10:41:15.123Z","level":"info","process":"smtpd","pid":1234,"event":"message-accepted",...}
//
// In text a value stands bare when it is visible ASCII without quotes, backslash and equals sign; all else is quoted,
// with \" \\ \n \r \t, \xHH for a byte that is no UTF-8 and \uHHHH or \UHHHHHHHH for a character that must not be shown
// (base/printable.h). In JSON such a byte is U+FFFD. So a peer can forge no line, no field, no terminal sequence. A
// value of more than JOURNAL_VALUE bytes ends with "..." and the line with `cut=true`; fields that the line has no room
// for are left out, which `cut=true` says as well: put our own facts before a peer's.
#pragma once

#include "base/slice.h"
#include "base/when.h"

#include <stdint.h>

enum {
    JOURNAL_LINE = 4096,  // bytes of a line, its LF included; what a pipe takes in one piece (PIPE_BUF)
    JOURNAL_VALUE = 1000, // bytes of one text value as it is written, quotes not counted
};

enum journal_format { JOURNAL_TEXT, JOURNAL_JSON };

// Warnings and errors say their level in text, the others don't.
enum journal_level { JOURNAL_DEBUG, JOURNAL_INFO, JOURNAL_WARNING, JOURNAL_ERROR };

const char *journal_level_name(enum journal_level level);

enum journal_type {
    JOURNAL_TYPE_NONE, // left out
    JOURNAL_TYPE_TEXT,
    JOURNAL_TYPE_INT,
    JOURNAL_TYPE_UINT,
    JOURNAL_TYPE_BOOL,
    JOURNAL_TYPE_MS, // milliseconds, written as seconds with three decimals
};

struct journal_field {
    struct slice name; // ours: lower-case letters, digits and hyphens
    enum journal_type type;
    union {
        struct slice text;
        int64_t i;
        uint64_t u;
        bool b;
    };
};

// What all lines of a process begin with, made once.
struct journal_head {
    const char *role; // kept as a pointer
    int64_t pid;
    enum journal_format format;
    int64_t second; // that `stamp` was made for
    char stamp[24]; // "2026-11-21T10:41:15."
    uint8_t stamp_n;
    char who[80]; // "smtpd[1234]", or its JSON
    uint8_t who_n;
};

void journal_head_init(struct journal_head *h, const char *role, int64_t pid, enum journal_format format);

// Writes the line with its LF to `to` and gives its length.
size_t journal_line(char to[JOURNAL_LINE], struct journal_head *h, struct wall at, enum journal_level level,
                    struct slice event, const struct journal_field *fields, size_t n);
