// journal: what a process has to say, as structured events. Lines are collected in memory and leave in one write a turn
// of the loop (journal_flush from loop_on_idle). A sink that is full or broken never holds the process up: lines that
// find no room are dropped and counted, and a `journal-dropped` event says how many once there is room again.
//
//     journal_event(j, JOURNAL_INFO, "message-accepted", JOURNAL_STR("session", id), JOURNAL_UINT("size", n));
//     journal_mark(j, JOURNAL_INFO, "started");
//
// Only services log; libraries and pure code give errors (base/err.h). A NULL journal swallows everything.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "rt/journal_line.h"

enum { JOURNAL_BUFFER = 64 * 1024 }; // bytes of lines that wait to be written

// Where lines go. `write` gets whole lines, takes what it can at once into `*taken` (0: full at present) and never
// waits. False: it is broken for now, and these lines are lost.
struct journal_sink {
    bool (*write)(void *arg, struct slice lines, size_t *taken);
    void *arg;
};

struct journal_setup {
    const char *role; // kept as a pointer
    int64_t pid;
    enum journal_format format;
    enum journal_level least; // what is below it is not written
    struct wall (*now)(void *arg);
    void *now_arg;
};

// A value that stays where it was initialised.
struct journal {
    struct journal_head head;
    enum journal_level least;
    struct wall (*now)(void *arg);
    void *now_arg;
    struct journal_sink sink;
    char *lines; // JOURNAL_BUFFER bytes
    size_t n;
    int fd;               // of journal_init_fd; -1 otherwise
    int send_flags;       // for a socket, -1 for anything else
    size_t piece;         // bytes that the descriptor takes whole or not at all
    bool own_fd;          // to be closed
    bool poll;            // its flags could not be made our own: ask before each write
    uint64_t written;     // events
    uint64_t dropped;     // events
    uint64_t dropped_new; // not yet said
};

void journal_init(struct journal *j, const struct journal_setup *setup, struct journal_sink sink);

// Lines go to `fd` (standard error, as a rule). A pipe or terminal is opened once more, so that making it non-blocking
// is our affair only: to be called before the jail. SIGPIPE is to be ignored by the process.
void journal_init_fd(struct journal *j, const struct journal_setup *setup, int fd);

// Lines are added to `to` by journal_flush; for tests.
void journal_init_memory(struct journal *j, const struct journal_setup *setup, struct buf *to);

// Tries to write what waits, and gives up the rest.
void journal_done(struct journal *j);

// Writes what waits as far as the sink takes it. To be called before the loop waits and before the process ends.
void journal_flush(struct journal *j);

void journal_write(struct journal *j, enum journal_level level, struct slice event, const struct journal_field *fields,
                   size_t n);

// At least one field.
#define journal_event(j, level, event, ...)                                                                            \
    journal_write((j), (level), SLICE(event), (const struct journal_field[]){__VA_ARGS__},                             \
                  sizeof((const struct journal_field[]){__VA_ARGS__}) / sizeof(struct journal_field))
// None.
#define journal_mark(j, level, event) journal_write((j), (level), SLICE(event), NULL, 0)

#define JOURNAL_STR(key, value) ((struct journal_field){.name = SLICE(key), .type = JOURNAL_TYPE_TEXT, .text = (value)})
#define JOURNAL_INT(key, value)                                                                                        \
    ((struct journal_field){.name = SLICE(key), .type = JOURNAL_TYPE_INT, .i = (int64_t)(value)})
#define JOURNAL_UINT(key, value)                                                                                       \
    ((struct journal_field){.name = SLICE(key), .type = JOURNAL_TYPE_UINT, .u = (uint64_t)(value)})
#define JOURNAL_BOOL(key, value) ((struct journal_field){.name = SLICE(key), .type = JOURNAL_TYPE_BOOL, .b = (value)})
#define JOURNAL_MS(key, value)                                                                                         \
    ((struct journal_field){.name = SLICE(key), .type = JOURNAL_TYPE_MS, .i = (int64_t)(value)})
// Left out when empty.
#define JOURNAL_OPT(key, value) journal_opt(SLICE(key), (value))
// A NUL-terminated text; left out when NULL or empty.
#define JOURNAL_Z(key, value) journal_opt(SLICE(key), slice_str(value))
// error=TEXT of a struct err.
#define JOURNAL_ERR(e) journal_opt(SLICE("error"), slice_str((e)->text))

static inline struct journal_field journal_opt(struct slice name, struct slice text) {
    return (struct journal_field){.name = name, .type = text.n ? JOURNAL_TYPE_TEXT : JOURNAL_TYPE_NONE, .text = text};
}
