// queue_space: segments are prewritten ahead of their use, in steps, and used again. A sync of a prewritten block is
// several times faster than one of a growing file. Where mail comes faster than zeros could be written beside it, a
// segment is allocated instead: dearer syncs, but no byte is written twice. The last spare is kept for outcomes, so
// that a full disk drains.
#include "base/mem.h"
#include "svc/queue/queue_log.h"

#include <errno.h>
#include <stdio.h>

static const char filling_name[] = "queue/filling";

void queue_space_name(char to[QUEUE_NAME], const char *kind, uint64_t number) {
    (void)snprintf(to, QUEUE_NAME, "queue/%s-%016llx", kind, (unsigned long long)number);
}

// --- spares

static void add_spare(struct queue_log *l, const char *name, struct disk_file *file, uint64_t size) {
    struct queue_spare *spare = &l->spares[l->spares_n++];
    *spare = (struct queue_spare){.file = file, .size = size};
    (void)snprintf(spare->name, sizeof spare->name, "%s", name);
}

bool queue_space_give(struct queue_log *l, const char *name, struct disk_file *file, uint64_t size, struct err *e) {
    char spare[QUEUE_NAME];
    bool keep = l->spares_n < QUEUE_SPARES_WANTED && size == l->segment_size;
    queue_space_name(spare, "spare", l->spare_serial++);
    if (keep ? !disk_rename(l->disk, name, spare, e) : !disk_remove(l->disk, name, e))
        return err_while(e, "giving back a segment of the queue log");
    if (keep)
        add_spare(l, spare, file, size);
    else
        disk_file_close(file);
    l->unsynced_names = !disk_sync_dir(l->disk, "queue", e);
    return true;
}

bool queue_space_wants(const struct queue_log *l) { return l->filling || l->spares_n < QUEUE_SPARES_WANTED; }

static void remove_if_possible(struct queue_log *l, const char *name) {
    struct err ignored;
    if (!disk_remove(l->disk, name, &ignored))
        return; // the next start sees what it is
}

static void stop_filling(struct queue_log *l) {
    disk_file_close(l->filling);
    l->filling = NULL;
    remove_if_possible(l, filling_name);
}

static bool begin_filling(struct queue_log *l, bool reserved, struct err *e) {
    uint64_t free_bytes;
    if (!disk_free_bytes(l->disk, &free_bytes, e))
        return false;
    if (free_bytes < l->segment_size + (reserved ? 0 : l->reserve))
        return err_smtp(e, 452, "4.3.1", "no room on the disk for another segment of the queue log");
    l->filled = 0;
    return disk_open(l->disk, filling_name, DISK_WRITE | DISK_CREATE, &l->filling, e);
}

static bool fill_some(struct queue_log *l, size_t step, struct err *e) {
    static const char zeros[64 * 1024];
    struct iovec parts[1024 * 1024 / sizeof zeros];
    size_t left = l->segment_size - l->filled < step ? (size_t)(l->segment_size - l->filled) : step;
    int n = 0;
    for (size_t piece; left > 0; left -= piece) {
        piece = left < sizeof zeros ? left : sizeof zeros;
        parts[n++] = (struct iovec){.iov_base = (void *)(uintptr_t)zeros, .iov_len = piece};
    }
    uint64_t at = l->filled;
    for (int i = 0; i < n; i++)
        l->filled += parts[i].iov_len;
    return n == 0 || disk_file_write(l->filling, parts, n, at, e);
}

static bool finish_filling(struct queue_log *l, struct err *e) {
    char name[QUEUE_NAME];
    queue_space_name(name, "spare", l->spare_serial++);
    if (!disk_file_sync(l->filling, e) || !disk_rename(l->disk, filling_name, name, e))
        return false;
    add_spare(l, name, l->filling, l->segment_size);
    l->filling = NULL;
    return true;
}

bool queue_space_fill_step(struct queue_log *l, struct err *e) {
    if (!l->filling && !begin_filling(l, false, e))
        return false;
    bool ok = fill_some(l, QUEUE_FILL_STEP, e);
    // The disk begins with each step at once and nobody waits for it: the sync at the end finds little left to do,
    // where a sync a step, or one of the whole, would hold up the mail that waits for its own.
    if (ok)
        disk_file_start_sync(l->filling);
    ok = ok && (l->filled < l->segment_size || finish_filling(l, e));
    if (!ok)
        stop_filling(l);
    return ok;
}

// True as well where the file system can't: then the rest is filled with zeros.
static bool allocate(struct queue_log *l, struct err *e) {
    struct err why;
    if (disk_file_allocate(l->filling, l->segment_size, &why))
        l->filled = l->segment_size;
    else if (why.sys != EOPNOTSUPP)
        *e = why;
    else
        return true;
    return l->filled == l->segment_size;
}

// Somebody waits for it: no time for zeros, where the file system can do without.
static bool fill_at_once(struct queue_log *l, bool reserved, struct err *e) {
    bool ok = (l->filling || begin_filling(l, reserved, e)) && allocate(l, e);
    while (ok && l->filled < l->segment_size)
        ok = fill_some(l, 1024 * 1024, e);
    ok = ok && finish_filling(l, e);
    if (!ok && l->filling)
        stop_filling(l);
    if (!ok && e->kind != ERR_CANCELLED && (e->sys == ENOSPC || e->sys == EDQUOT))
        e->smtp = 452;
    return ok;
}

// --- taking one into use

static bool write_heads(struct disk_file *f, const struct log_segment *head, struct err *e) {
    char block[LOG_HEADER_COPY] = {0};
    struct iovec parts[] = {{block, sizeof block}, {block, sizeof block}};
    log_segment_pack(block, head);
    return disk_file_write(f, parts, 2, 0, e) && disk_file_sync(f, e);
}

// Its new name is durable before a byte of it is overwritten: under its old name after a crash it would be read as what
// it was.
static bool rename_and_head(struct queue_log *l, const struct queue_spare *spare, const struct log_segment *head,
                            struct err *e) {
    char name[QUEUE_NAME];
    queue_space_name(name, "log", head->number);
    if (disk_rename(l->disk, spare->name, name, e) && disk_sync_dir(l->disk, "queue", e) &&
        write_heads(spare->file, head, e))
        return true;
    // Whatever is there under either name: the next header's `previous` leaves it out.
    remove_if_possible(l, name);
    remove_if_possible(l, spare->name);
    return err_while(e, "opening a segment of the queue log");
}

// Mail leaves the last spare to outcomes as long as no other can be had.
static bool have_spare(struct queue_log *l, bool reserved, struct err *e) {
    if (l->spares_n > (reserved ? 0 : 1))
        return true;
    return fill_at_once(l, false, e) || (reserved && fill_at_once(l, true, e));
}

bool queue_space_restore(struct queue_log *l, struct err *e) {
    if (l->spares_n == 0 && !fill_at_once(l, false, e))
        return false;
    l->on_reserve = false;
    return true;
}

bool queue_space_next(struct queue_log *l, bool reserved, struct err *e) {
    if (!have_spare(l, reserved, e))
        return false;
    struct queue_spare spare = l->spares[--l->spares_n];
    struct log_segment head = {.number = l->number + 1,
                               .salt = world_random_u64(l->world),
                               .previous = l->previous,
                               .previous_end = l->previous_end,
                               .first_seq = l->seq + 1};
    l->number++;
    if (!rename_and_head(l, &spare, &head, e)) {
        disk_file_close(spare.file);
        return false;
    }
    struct queue_segment *s = MEM_NEW(struct queue_segment);
    *s = (struct queue_segment){.head = head, .file = spare.file, .size = spare.size, .end = LOG_FIRST};
    list_init(&s->messages);
    list_append(&l->segments, &s->entry);
    l->segments_n++;
    l->current = s;
    l->unsynced_names = false;
    l->on_reserve = reserved && l->spares_n == 0;
    return true;
}
