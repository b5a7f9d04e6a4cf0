// queue_replay: what the log says, in order, after any kind of end.
//
//     behind a segment's known end (the next header's previous_end)   never counts, whatever it looks like
//     a bad record before it                                          damage: kept aside, reported, replay goes on at
//                                                                     the next good record
//     a bad record in the last segment, whose end is not known        damage as well when a later record says that this
//                                                                     one was durable (`synced`); else a write that
//                                                                     nobody was promised: cut
//     a segment of which neither header can be read                   never written to, which only the last one and
//                                                                     those that were opened in vain may be: a spare;
//                                                                     anything else: kept aside whole, reported
//     a segment that the next one names and that is not there         reported
#include "svc/queue/queue_log.h"
#include "svc/queue/queue_window.h"

#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

// --- keeping aside

static bool copy_aside(struct queue_log *l, struct queue_window *w, const char *name, uint64_t from, uint64_t to) {
    struct disk_file *copy;
    struct err e;
    if (!disk_open(l->disk, name, DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, &copy, &e))
        return e.sys == EEXIST; // kept by an earlier start
    bool ok = true;
    for (uint64_t at = from; ok && at < to;) {
        struct slice piece = queue_window_view(w, at, (size_t)num_min(to - at, QUEUE_WINDOW_STEP));
        ok = piece.n > 0 && disk_file_write_slice(copy, piece, at - from, &e);
        at += piece.n;
    }
    ok = ok && disk_file_sync(copy, &e);
    disk_file_close(copy);
    if (!ok && !disk_remove(l->disk, name, &e))
        return false; // half a copy is better than none
    return ok;
}

static void report_records(struct queue_log *l, const struct queue_replay_hooks *hooks, struct queue_window *w,
                           uint64_t segment, uint64_t from, uint64_t to) {
    char name[QUEUE_NAME];
    (void)snprintf(name, sizeof name, "queue/damaged-%016llx-%llu", (unsigned long long)segment,
                   (unsigned long long)from);
    bool kept = copy_aside(l, w, name, from, to);
    struct queue_damage_report report = {QUEUE_DAMAGE_RECORDS, segment, from, to - from, kept ? name : NULL};
    l->counts.damaged++;
    hooks->damage(hooks->arg, &report);
}

static void report(const struct queue_replay_hooks *hooks, enum queue_damage what, uint64_t segment, uint64_t offset,
                   const char *kept) {
    struct queue_damage_report r = {what, segment, offset, 0, kept};
    hooks->damage(hooks->arg, &r);
}

// --- one segment

// Reads on to `w->end`, which is the segment's known end or, in the last segment, the file's.
static void replay_segment(struct queue_log *l, const struct queue_replay_hooks *hooks, struct queue_segment *s,
                           struct queue_window *w, bool end_known) {
    uint64_t at = LOG_FIRST, after = s->head.first_seq - 1;
    struct log_record r;
    size_t size = 0;
    while (at < w->end && !w->cancelled) {
        if (queue_window_record(w, &s->head, at, after, &r, &size) != LOG_RECORD_WHOLE) {
            if (!end_known && !queue_window_was_durable(w, &s->head, at + LOG_ALIGN, after + 1)) {
                s->unwritten = at == LOG_FIRST && queue_window_find(w, &s->head, at, 0, &r, &size) == w->end;
                if (!queue_window_all_zero(queue_window_view(w, at, QUEUE_WINDOW_BLOCK)))
                    report(hooks, QUEUE_DAMAGE_TAIL, s->head.number, at, NULL);
                break;
            }
            uint64_t next = queue_window_find(w, &s->head, at + LOG_ALIGN, after, &r, &size);
            report_records(l, hooks, w, s->head.number, at, next);
            at = next;
            if (at >= w->end)
                break;
            // Keeping the bytes aside has moved the window.
            (void)queue_window_record(w, &s->head, at, after, &r, &size);
        }
        struct queue_place place = {.segment = s,
                                    .offset = (uint32_t)(at + LOG_RECORD_HEADER),
                                    .length = (uint32_t)r.payload.n,
                                    .prefix = r.prefix};
        hooks->record(hooks->arg, &r, &place);
        after = r.seq;
        at += size;
    }
    s->end = at < w->end ? at : w->end;
    if (after > l->seq)
        l->seq = after;
}

// --- all of them

// Numbers of files.
struct numbers {
    uint64_t *at;
    size_t n;
};

struct found {
    struct queue_log *log;
    struct numbers logs, spares;
    struct numbers aside;  // segments that were kept aside whole
    struct numbers unused; // of the logs: those without a header of their own
    bool filling;
};

static void numbers_add(struct numbers *to, uint64_t number) {
    to->at = mem_grow(to->at, to->n + 1, sizeof *to->at);
    to->at[to->n++] = number;
}

static bool numbers_have(const struct numbers *in, uint64_t number) {
    size_t i = 0;
    while (i < in->n && in->at[i] != number)
        i++;
    return i < in->n;
}

static bool parse_number(struct slice text, const char *kind, uint64_t *out) {
    struct slice prefix = slice_str(kind);
    if (!slice_starts(text, prefix) || text.n != prefix.n + 16)
        return false;
    uint64_t v = 0;
    for (size_t i = prefix.n; i < text.n; i++) {
        char c = text.p[i];
        if (!ascii_digit(c) && (c < 'a' || c > 'f'))
            return false;
        v = v << 4 | (uint64_t)(ascii_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *out = v;
    return true;
}

static void note_name(void *arg, const char *entry) {
    struct found *f = arg;
    uint64_t number;
    if (parse_number(slice_str(entry), "log-", &number))
        numbers_add(&f->logs, number);
    else if (parse_number(slice_str(entry), "spare-", &number))
        numbers_add(&f->spares, number);
    else if (parse_number(slice_str(entry), "damaged-", &number))
        numbers_add(&f->aside, number);
    else if (slice_eq(slice_str(entry), SLICE("filling")))
        f->filling = true;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

enum head_state { HEAD_GOOD, HEAD_UNUSED, HEAD_DAMAGED };

// Records are written only behind durable headers.
static bool has_records(struct disk_file *f) {
    char block[QUEUE_WINDOW_BLOCK];
    struct err e;
    size_t got;
    return disk_file_read(f, block, sizeof block, LOG_FIRST, &got, &e) && !queue_window_all_zero(slice_of(block, got));
}

// UNUSED: never written, or still that of an earlier life under another number.
static enum head_state read_head(struct disk_file *f, uint64_t number, struct log_segment *out, struct err *e) {
    bool damaged = false, other = false;
    for (uint64_t at = 0; at <= LOG_HEADER_COPY; at += LOG_HEADER_COPY) {
        char bytes[LOG_HEADER] = {0};
        struct log_segment head;
        size_t got;
        bool read = disk_file_read(f, bytes, sizeof bytes, at, &got, e);
        if (!read || !log_segment_unpack(bytes, &head)) {
            damaged = damaged || !read || !queue_window_all_zero(slice_of(bytes, sizeof bytes));
        } else if (head.number == number) {
            *out = head;
            return HEAD_GOOD;
        } else {
            other = true;
        }
    }
    return !other && (damaged || has_records(f)) ? HEAD_DAMAGED : HEAD_UNUSED;
}

static bool set_aside(struct queue_log *l, const struct queue_replay_hooks *hooks, const char *name, uint64_t number,
                      struct err *e) {
    char aside[QUEUE_NAME];
    queue_space_name(aside, "damaged", number);
    if (!disk_rename(l->disk, name, aside, e))
        return false;
    l->counts.damaged++;
    report(hooks, QUEUE_DAMAGE_SEGMENT, number, 0, aside);
    return true;
}

// Opens a segment's file: a good one becomes the log's newest so far.
static bool load_segment(struct found *found, const struct queue_replay_hooks *hooks, uint64_t number, struct err *e) {
    struct queue_log *l = found->log;
    char name[QUEUE_NAME];
    struct disk_file *file;
    struct log_segment head;
    uint64_t size;
    queue_space_name(name, "log", number);
    if (!disk_open(l->disk, name, DISK_WRITE, &file, e))
        return false;
    if (!disk_file_size(file, &size, e)) {
        disk_file_close(file);
        return false;
    }
    l->number = number;
    switch (read_head(file, number, &head, e)) {
    case HEAD_GOOD: {
        struct queue_segment *s = MEM_NEW(struct queue_segment);
        *s = (struct queue_segment){.head = head, .file = file, .size = size};
        list_init(&s->messages);
        list_append(&l->segments, &s->entry);
        l->segments_n++;
        return true;
    }
    case HEAD_UNUSED:
        disk_file_close(file);
        numbers_add(&found->unused, number);
        return true;
    default:
        disk_file_close(file);
        numbers_add(&found->aside, number);
        return set_aside(l, hooks, name, number, e);
    }
}

// From the last back to the first: who is the one before, and where it ends. A segment between the two was opened in
// vain and never counted.
static bool drop_the_vain(struct queue_log *l, struct err *e) {
    struct queue_segment *next = NULL;
    for (struct list *at = l->segments.prev, *before; at != &l->segments; at = before) {
        struct queue_segment *s = LIST_ENTRY(at, struct queue_segment, entry);
        before = at->prev;
        s->end = 0; // not known
        if (next && s->head.number > next->head.previous) {
            char name[QUEUE_NAME];
            queue_space_name(name, "log", s->head.number);
            if (!queue_space_give(l, name, s->file, s->size, e))
                return false;
            list_remove(&s->entry);
            free(s);
            l->segments_n--;
            continue;
        }
        if (next && s->head.number == next->head.previous)
            s->end = num_min(next->head.previous_end, s->size);
        next = s;
    }
    return true;
}

static bool load_spare(struct queue_log *l, const char *name, struct err *e) {
    struct disk_file *file;
    uint64_t size;
    if (!disk_open(l->disk, name, DISK_WRITE, &file, e))
        return false;
    if (disk_file_size(file, &size, e) && queue_space_give(l, name, file, size, e))
        return true;
    disk_file_close(file);
    return false;
}

// The first segment that counts behind this number; NULL: there is none.
static const struct queue_segment *next_behind(const struct queue_log *l, uint64_t number) {
    LIST_EACH(at, &l->segments) {
        const struct queue_segment *s = LIST_ENTRY(at, struct queue_segment, entry);
        if (s->head.number > number)
            return s;
    }
    return NULL;
}

// Segments without a header of their own: what stood in one that counted is lost, and what is left is for people.
static bool sort_out_unused(struct found *f, const struct queue_replay_hooks *hooks, struct err *e) {
    bool ok = true;
    for (size_t i = 0; ok && i < f->unused.n; i++) {
        const struct queue_segment *next = next_behind(f->log, f->unused.at[i]);
        char name[QUEUE_NAME];
        queue_space_name(name, "log", f->unused.at[i]);
        if (next && next->head.previous >= f->unused.at[i])
            ok = set_aside(f->log, hooks, name, f->unused.at[i], e);
        else
            ok = load_spare(f->log, name, e);
    }
    return ok;
}

// The oldest one's predecessors were given back in their time. What was kept aside has been reported.
static void report_gap(struct found *f, const struct queue_replay_hooks *hooks, const struct queue_segment *before,
                       const struct log_segment *head) {
    struct queue_damage_report r = {QUEUE_DAMAGE_GONE, head->previous, 0, 0, NULL};
    if (before->head.number == head->previous && head->previous_end > before->size)
        r = (struct queue_damage_report){QUEUE_DAMAGE_RECORDS, head->previous, before->size,
                                         head->previous_end - before->size, NULL};
    else if (numbers_have(&f->logs, head->previous) || numbers_have(&f->aside, head->previous))
        return;
    f->log->counts.damaged++;
    hooks->damage(hooks->arg, &r);
}

static void report_gaps(struct found *f, const struct queue_replay_hooks *hooks) {
    const struct queue_segment *before = NULL;
    LIST_EACH(at, &f->log->segments) {
        const struct queue_segment *s = LIST_ENTRY(at, struct queue_segment, entry);
        if (before)
            report_gap(f, hooks, before, &s->head);
        before = s;
    }
}

static bool replay_all(struct queue_log *l, const struct queue_replay_hooks *hooks, struct err *e) {
    struct queue_window w = {0};
    LIST_EACH(at, &l->segments) {
        struct queue_segment *s = LIST_ENTRY(at, struct queue_segment, entry);
        bool known = s->end != 0;
        queue_window_move(&w, s->file, known ? s->end : s->size);
        replay_segment(l, hooks, s, &w, known);
    }
    queue_window_done(&w);
    return !w.cancelled || err_set(e, ERR_CANCELLED, "stopped while reading the queue log");
}

// The last segment is used on only when nothing was ever written to it.
static void resume(struct queue_log *l) {
    l->synced = l->seq;
    if (list_empty(&l->segments))
        return;
    struct queue_segment *last = LIST_ENTRY(l->segments.prev, struct queue_segment, entry);
    if (last->unwritten && last->size == l->segment_size) {
        l->current = last;
    } else {
        l->previous = last->head.number;
        l->previous_end = last->end;
    }
}

static bool load_spares(struct queue_log *l, const struct found *f, struct err *e) {
    bool ok = true;
    for (size_t i = 0; i < f->spares.n; i++)
        l->spare_serial = num_max(l->spare_serial, f->spares.at[i] + 1);
    for (size_t i = 0; ok && i < f->spares.n; i++) {
        char name[QUEUE_NAME];
        queue_space_name(name, "spare", f->spares.at[i]);
        ok = load_spare(l, name, e);
    }
    return ok && (!f->filling || disk_remove(l->disk, "queue/filling", e));
}

static bool load_segments(struct found *f, const struct queue_replay_hooks *hooks, struct err *e) {
    bool ok = true;
    if (f->logs.n)
        qsort(f->logs.at, f->logs.n, sizeof *f->logs.at, by_number);
    for (size_t i = 0; ok && i < f->logs.n; i++)
        ok = load_segment(f, hooks, f->logs.at[i], e);
    ok = ok && drop_the_vain(f->log, e) && sort_out_unused(f, hooks, e);
    if (ok)
        report_gaps(f, hooks);
    return ok;
}

bool queue_replay(struct queue_log *l, const struct queue_replay_hooks *hooks, struct err *e) {
    struct found f = {.log = l};
    bool ok = disk_make_dir(l->disk, "queue", e) && disk_make_dir(l->disk, "queue/big", e) &&
              disk_sync_dir(l->disk, ".", e) && disk_list(l->disk, "queue", note_name, &f, e) &&
              load_spares(l, &f, e) && load_segments(&f, hooks, e) && replay_all(l, hooks, e);
    if (ok)
        resume(l);
    free(f.logs.at);
    free(f.spares.at);
    free(f.aside.at);
    free(f.unused.at);
    return ok || err_while(e, "reading the queue log");
}
