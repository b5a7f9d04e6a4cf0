// smtpd_filter_inside: what the files of smtpd_filter share.
//
//     smtpd_filter.c          the envelope: which filters are asked what
//     smtpd_filter_verdict.c  what their answers mean, and what it means that there is none
//     smtpd_filter_content.c  header, body, end
//     smtpd_filter_changes.c  what a filter wants changed, put together and then done, all or nothing
//     smtpd_filter_macros.c   what a filter is told beside
//     smtpd_filter_wire.c     one filter's connection
#pragma once

#include "base/arena.h"
#include "mail/header/header_edit.h"
#include "rt/fiber/fiber.h"
#include "svc/smtpd/smtpd_filter.h"
#include "wire/milter.h"

enum {
    SMTPD_FILTER_PROGRESS_MAX = 1000,          // that one answer may take
    SMTPD_FILTER_PROGRESS_MS = 10 * MS_MINUTE, // or time: no client waits longer (RFC 5321 4.5.3.2.6)
    SMTPD_FILTER_CHANGES_MAX = 1000,           // of one filter in one message
    SMTPD_FILTER_RECIPIENTS_MAX = 1000,
    SMTPD_FILTER_PIECE = MILTER_CHUNK, // bytes of body that are held together
    SMTPD_FILTER_TEXT_MAX = 16 * 1024, // of a reply
    SMTPD_FILTER_WORDS = 400,          // bytes of what is said about a filter
};

// Content that is held until somebody wants it: later filters, or the session when a filter made it.
struct smtpd_filter_piece {
    struct list entry;
    size_t n;
    char bytes[SMTPD_FILTER_PIECE];
};

struct smtpd_filter_spool {
    struct list pieces;
    uint64_t size;
};

enum smtpd_milter_state {
    SMTPD_MILTER_FRESH, // not connected yet
    SMTPD_MILTER_OPEN,
    SMTPD_MILTER_OVER,   // accepted the session
    SMTPD_MILTER_FAILED, // isn't asked again
};

// One filter of the session.
struct smtpd_milter {
    const struct config_filter *config;
    size_t index; // in config->gate.filters
    enum smtpd_milter_state state;
    struct transport *transport; // NULL: none
    struct buf in, out;
    size_t in_used;                // bytes of `in` that were understood
    struct milter_options options; // agreed upon; macros in `wishes`
    struct buf wishes;
    bool told_connect, told_helo;
    bool in_message; // the filter thinks of a message: ABORT ends it
    bool done;       // with this message: it accepted
    bool skip_body;
    struct smtpd_filter_verdict refusal; // of CONNECT or HELO: answers every MAIL until that changes
    struct buf refusal_text;
};

struct smtpd_filters {
    const struct config *config;
    const struct smtpd_filter_outside *outside;
    void *arg;
    bool submission;
    struct smtpd_milter *list;
    size_t n;
    struct buf text; // of a verdict
    // what was told; told again when it changes
    struct netaddr client;
    struct buf helo;
    bool tls;
    struct smtpd_filter_facts facts; // of the transaction
    // of the message
    struct arena arena;
    struct slice sender, params; // as they came; with its <>
    struct slice recipient;
    size_t recipients;                   // that were taken
    struct buf chunk;                    // of the body, for the filter in hand
    bool gathers;                        // room for a chunk is held
    bool begun;                          // content
    bool decided;                        // `verdict` holds
    struct smtpd_filter_verdict verdict; // of content
    size_t current;                      // the filter that content goes to as it comes; n: none
    struct buf header;                   // the section as the filters so far made it
    size_t top;                          // bytes of it in front of our own Received, which no filter sees
    struct smtpd_filter_spool body;      // for later filters, or what a filter made of it
    struct smtpd_filter_spool fresh;     // what the filter in hand makes of it
    struct smtpd_filtered out;
    struct list *next_piece; // smtpd_filters_piece
};

// --- smtpd_filter_wire.c

// Connects and agrees on what is told and what may be done.
FIBER_FN MUST_CHECK bool smtpd_milter_open(struct smtpd_filters *f, struct smtpd_milter *m, struct err *e);
void smtpd_milter_close(struct smtpd_milter *m); // says QUIT

// m->out is sent, at once or with what comes next.
FIBER_FN MUST_CHECK bool smtpd_milter_send(struct smtpd_milter *m, bool now, struct err *e);

// What fits now, without waiting; the rest stays for what comes next.
void smtpd_milter_try_send(struct smtpd_milter *m);

// The next answer but PROGRESS; m->out is sent before. Views until the next call. `ms`: the time between two of them.
FIBER_FN MUST_CHECK bool smtpd_milter_answer(struct smtpd_milter *m, int64_t ms, struct milter_answer *out,
                                             struct err *e);

static inline bool smtpd_milter_is(const struct smtpd_milter *m, uint32_t step) {
    return (m->options.steps & step) != 0;
}

// --- smtpd_filter_macros.c

// Adds the macros of a stage to m->out. `why`: of a recipient that was refused.
void smtpd_filter_macros(struct smtpd_filters *f, struct smtpd_milter *m, enum milter_stage stage,
                         enum milter_command of, const struct err *why);

// --- smtpd_filter_verdict.c

void smtpd_filter_say(struct smtpd_filters *f, const struct smtpd_milter *m, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void smtpd_filter_count(struct smtpd_filters *f, enum metric_label_FILTER result);

// The filter can't be asked, or broke off: what the configuration wants then. True: go on without it.
bool smtpd_filter_failed(struct smtpd_filters *f, struct smtpd_milter *m, const struct err *why,
                         struct smtpd_filter_verdict *v);

// What an answer means where no change may be made. False and `e`: it may not come here.
bool smtpd_filter_judge(struct smtpd_filters *f, struct smtpd_milter *m, const struct milter_answer *a,
                        struct smtpd_filter_verdict *v, struct err *e);

// --- smtpd_filter_changes.c

struct smtpd_filter_change {
    struct smtpd_filter_change *next;
    struct milter_answer answer; // in the arena
};

struct smtpd_filter_changes {
    struct smtpd_filter_change *first, **last;
    size_t n;
    bool body; // f->fresh is the new one
    bool cr;   // its last byte was a CR, which is not in it yet
};

void smtpd_filter_changes_begin(struct smtpd_filter_changes *c);
MUST_CHECK bool smtpd_filter_changes_add(struct smtpd_filters *f, struct smtpd_filter_changes *c,
                                         const struct milter_answer *a, struct err *e);
// All of them, or none and `e`.
MUST_CHECK bool smtpd_filter_changes_do(struct smtpd_filters *f, struct smtpd_milter *m, struct smtpd_filter_changes *c,
                                        struct err *e);

// --- the spool, in smtpd_filter_changes.c

MUST_CHECK bool smtpd_filter_spool_add(struct smtpd_filters *f, struct smtpd_filter_spool *s, struct slice bytes,
                                       struct err *e);
void smtpd_filter_spool_done(struct smtpd_filters *f, struct smtpd_filter_spool *s);
