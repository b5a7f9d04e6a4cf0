// queue_window: reading a segment a step at a time, and looking for records in it.
#include "svc/queue/queue_window.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>

void queue_window_done(struct queue_window *w) { free(w->p); }

void queue_window_move(struct queue_window *w, struct disk_file *file, uint64_t end) {
    w->file = file;
    w->n = 0;
    w->end = end;
}

static void read_by_blocks(struct queue_window *w, size_t n, struct err *e) {
    for (size_t at = 0; at < n && !w->cancelled; at += QUEUE_WINDOW_BLOCK) {
        size_t want = n - at < QUEUE_WINDOW_BLOCK ? n - at : QUEUE_WINDOW_BLOCK, got = 0;
        if (!disk_file_read(w->file, w->p + at, want, w->base + at, &got, e)) {
            w->cancelled = e->kind == ERR_CANCELLED;
            got = 0;
        }
        memset(w->p + at + got, 0, want - got);
    }
    w->n = n;
}

struct slice queue_window_view(struct queue_window *w, uint64_t at, size_t n) {
    struct err e;
    if (at >= w->end || w->cancelled)
        return SLICE_EMPTY;
    n = (size_t)num_min(n, w->end - at);
    if (at < w->base || at + n > w->base + w->n) {
        size_t want = (size_t)num_min(num_max(n, QUEUE_WINDOW_STEP), w->end - at);
        if (want > w->cap) {
            w->p = mem_grow(w->p, want, 1);
            w->cap = want;
        }
        w->base = at;
        if (!disk_file_read(w->file, w->p, want, at, &w->n, &e))
            read_by_blocks(w, want, &e);
    }
    size_t there = (size_t)(w->base + w->n - at);
    return slice_of(w->p + (at - w->base), there < n ? there : n);
}

enum log_record_got queue_window_record(struct queue_window *w, const struct log_segment *head, uint64_t at,
                                        uint64_t after, struct log_record *out, size_t *size) {
    enum log_record_got got = log_record_parse(queue_window_view(w, at, LOG_RECORD_HEADER), head, after, out, size);
    if (got == LOG_RECORD_MORE)
        got = log_record_parse(queue_window_view(w, at, *size), head, after, out, size);
    return got;
}

bool queue_window_all_zero(struct slice s) { return s.n == 0 || (s.p[0] == 0 && memcmp(s.p, s.p + 1, s.n - 1) == 0); }

uint64_t queue_window_find(struct queue_window *w, const struct log_segment *head, uint64_t at, uint64_t after,
                           struct log_record *out, size_t *size) {
    while (at < w->end && !w->cancelled) {
        struct slice block = queue_window_view(w, at, QUEUE_WINDOW_BLOCK);
        if (block.n == 0)
            break;
        if (queue_window_all_zero(block))
            at += block.n < LOG_ALIGN ? LOG_ALIGN : block.n / LOG_ALIGN * LOG_ALIGN;
        else if (queue_window_record(w, head, at, after, out, size) == LOG_RECORD_WHOLE)
            return at;
        else
            at += LOG_ALIGN;
    }
    return w->end;
}

bool queue_window_was_durable(struct queue_window *w, const struct log_segment *head, uint64_t at, uint64_t seq) {
    struct log_record r;
    size_t size = 0;
    while ((at = queue_window_find(w, head, at, seq - 1, &r, &size)) < w->end) {
        if (r.synced >= seq)
            return true;
        at += size;
    }
    return false;
}
