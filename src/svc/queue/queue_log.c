// queue_log: batches of records written and synced, records read, segments dropped.
#include "svc/queue/queue_log.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { PARTS_A_RECORD = 4, PARTS_A_WRITE = 1000 };

void queue_log_init(struct queue_log *l, const struct world *world, uint64_t segment_size, uint64_t reserve) {
    *l = (struct queue_log){
        .world = world, .disk = world->disk, .segment_size = segment_size, .reserve = reserve, .spare_serial = 1};
    list_init(&l->segments);
}

static void free_segment(struct queue_segment *s) {
    list_remove(&s->entry);
    disk_file_close(s->file);
    free(s);
}

void queue_log_done(struct queue_log *l) {
    while (!list_empty(&l->segments))
        free_segment(queue_log_oldest(l));
    for (size_t i = 0; i < l->spares_n; i++)
        disk_file_close(l->spares[i].file);
    disk_file_close(l->filling);
    free(l->headers);
    free(l->parts);
}

bool queue_log_fits(const struct queue_log *l, size_t payload) {
    return payload <= LOG_PAYLOAD_MAX && log_record_size(payload) <= l->segment_size - LOG_FIRST;
}

bool queue_log_open(struct queue_log *l, bool reserved, struct err *e) {
    if (!l->current)
        return queue_space_next(l, reserved, e);
    return reserved || !l->on_reserve || queue_space_restore(l, e);
}

// --- writing

static size_t entry_size(const struct queue_entry *entry) {
    return log_record_size(entry->prefix.n + entry->payload.n);
}

// What a write or sync that failed left behind the segment's end never counts: the next header says so.
static void give_up(struct queue_log *l) {
    l->previous = l->current->head.number;
    l->previous_end = l->current->end;
    l->current = NULL;
}

static bool room_for(struct queue_log *l, const struct queue_entry *entry, struct err *e) {
    if (l->current && l->current->end + entry_size(entry) > l->current->size)
        give_up(l); // full
    return queue_log_open(l, entry->reserved, e);
}

// How many entries go into the current segment: at least the first.
static size_t entries_that_fit(const struct queue_log *l, struct queue_entry **entries, size_t n) {
    uint64_t at = l->current->end;
    size_t i = 0;
    while (i < n && at + entry_size(entries[i]) <= l->current->size && (entries[i]->reserved || !l->on_reserve))
        at += entry_size(entries[i++]);
    return i;
}

static void grow_scratch(struct queue_log *l, size_t n) {
    if (n <= l->entries_cap)
        return;
    l->entries_cap = n + n / 2;
    l->headers = mem_grow(l->headers, l->entries_cap, LOG_RECORD_HEADER);
    l->parts = mem_grow(l->parts, l->entries_cap, PARTS_A_RECORD * sizeof *l->parts);
}

static void add_part(struct iovec *parts, size_t *n, struct slice s) {
    if (s.n)
        parts[(*n)++] = (struct iovec){.iov_base = (void *)(uintptr_t)s.p, .iov_len = s.n};
}

// Headers and parts of all entries; their places, as they will be. Gives the number of parts.
static size_t lay_out(struct queue_log *l, struct queue_entry **entries, size_t n, uint64_t *end) {
    static const char zeros[LOG_ALIGN];
    size_t parts_n = 0;
    uint64_t at = l->current->end;
    grow_scratch(l, n);
    for (size_t i = 0; i < n; i++) {
        struct queue_entry *entry = entries[i];
        char *header = l->headers + i * LOG_RECORD_HEADER;
        struct log_record r = {.type = entry->type, .seq = ++l->seq, .synced = l->synced, .payload = entry->payload};
        size_t length = entry->prefix.n + entry->payload.n;
        log_record_header(header, &l->current->head, &r, entry->prefix);
        add_part(l->parts, &parts_n, slice_of(header, LOG_RECORD_HEADER));
        add_part(l->parts, &parts_n, entry->prefix);
        add_part(l->parts, &parts_n, entry->payload);
        add_part(l->parts, &parts_n, slice_of(zeros, log_record_size(length) - LOG_RECORD_HEADER - length));
        entry->place = (struct queue_place){.segment = l->current,
                                            .offset = (uint32_t)(at + LOG_RECORD_HEADER),
                                            .length = (uint32_t)length,
                                            .prefix = (uint32_t)entry->prefix.n};
        at += entry_size(entry);
    }
    *end = at;
    return parts_n;
}

static bool write_parts(struct queue_log *l, size_t parts_n, struct err *e) {
    uint64_t at = l->current->end;
    for (size_t i = 0; i < parts_n;) {
        size_t n = parts_n - i < PARTS_A_WRITE ? parts_n - i : PARTS_A_WRITE;
        if (!disk_file_write(l->current->file, l->parts + i, (int)n, at, e))
            return false;
        for (size_t end = i + n; i < end; i++)
            at += l->parts[i].iov_len;
    }
    return true;
}

static bool write_run(struct queue_log *l, struct queue_entry **entries, size_t n, struct err *e) {
    uint64_t end;
    size_t parts_n = lay_out(l, entries, n, &end);
    if (!write_parts(l, parts_n, e) || !disk_file_sync(l->current->file, e)) {
        l->counts.syncs_failed++;
        return false;
    }
    l->counts.syncs++;
    l->counts.records += n;
    l->counts.bytes += end - l->current->end;
    l->current->end = end;
    l->synced = l->seq;
    for (size_t i = 0; i < n; i++)
        entries[i]->durable = true;
    return true;
}

// The sooner the next header is durable, the less a crash could count what is refused now.
static bool give_up_failed(struct queue_log *l, struct err *e) {
    struct err later;
    give_up(l);
    e->smtp = 451;
    if (e->kind != ERR_CANCELLED)
        err_while(e, "writing the queue log");
    bool opened = queue_log_open(l, true, &later);
    return opened && false;
}

bool queue_log_write(struct queue_log *l, struct queue_entry **entries, size_t n, struct err *e) {
    while (n > 0) {
        assert(queue_log_fits(l, entries[0]->prefix.n + entries[0]->payload.n));
        if (!room_for(l, entries[0], e))
            return false;
        size_t fit = entries_that_fit(l, entries, n);
        if (!write_run(l, entries, fit, e))
            return give_up_failed(l, e);
        entries += fit;
        n -= fit;
    }
    return true;
}

// --- reading, dropping

bool queue_log_read(const struct queue_place *place, size_t from, void *to, size_t n, struct err *e) {
    size_t got;
    assert(from + n <= place->length);
    if (!disk_file_read(place->segment->file, to, n, place->offset + from, &got, e))
        return false;
    return got == n || err_set(e, ERR_TEMPORARY, "a segment of the queue log is shorter than it was");
}

bool queue_log_drop_oldest(struct queue_log *l, struct err *e) {
    struct queue_segment *s = queue_log_oldest(l);
    char name[QUEUE_NAME];
    assert(s && s != l->current && list_empty(&s->messages));
    // A dropped segment whose name comes back after a crash would bring messages back whose outcomes are dropped next.
    if (l->unsynced_names && !disk_sync_dir(l->disk, "queue", e))
        return false;
    l->unsynced_names = false;
    queue_space_name(name, "log", s->head.number);
    if (!queue_space_give(l, name, s->file, s->size, e))
        return false;
    s->file = NULL;
    free_segment(s);
    l->segments_n--;
    l->counts.dropped++;
    return true;
}
