// history_store: writes the files of history and removes them.
#include "svc/history/history_store.h"

#include "base/mem.h"
#include "base/num.h"
#include "core/history/record_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FILES = 16, // that the whole is divided into, about
    FILE_LEAST = 64 * 1024,
    FILE_MOST = 16 * 1024 * 1024,
    PATH = sizeof "history/" + RECORD_FILE_NAME,
    PIECE = 256 * 1024, // that is read at once; a record fits
};

static void path_of(uint64_t number, char to[PATH]) {
    char name[RECORD_FILE_NAME];
    record_file_name(number, name);
    snprintf(to, PATH, "history/%s", name);
}

static uint64_t file_size(const struct history_store *s) {
    return num_max(FILE_LEAST, num_min(FILE_MOST, s->size_max / FILES));
}

static struct history_file *last_of(const struct history_store *s) {
    return s->files_n ? &s->files[s->files_n - 1] : NULL;
}

static void add_file(struct history_store *s, const struct history_file *f) {
    if (s->files_n == s->files_cap) {
        s->files_cap = s->files_cap ? s->files_cap * 2 : 32;
        s->files = mem_grow(s->files, s->files_cap, sizeof *s->files);
    }
    s->files[s->files_n++] = *f;
    s->total += f->size;
}

// A file that can't be removed is forgotten: its bytes are no longer counted, and the next start meets it again.
static void remove_oldest(struct history_store *s) {
    char path[PATH];
    struct err ignored;
    path_of(s->files[0].number, path);
    (void)!disk_remove(s->disk, path, &ignored);
    s->total -= s->files[0].size;
    memmove(s->files, s->files + 1, --s->files_n * sizeof *s->files);
    if (s->files_n == 0) {
        disk_file_close(s->now);
        s->now = NULL;
    }
}

// A file isn't written for longer than this, so that days are kept to.
static int64_t age_of_file(const struct history_store *s) { return s->age_max / FILES; }

void history_store_age(struct history_store *s, struct wall now) {
    while (s->age_max && s->files_n && s->files[0].begun.ms + age_of_file(s) < now.ms - s->age_max)
        remove_oldest(s);
}

// ---- taking up what is there

static void add_found(void *arg, const char *name) {
    struct history_store *s = arg;
    struct history_file f = {0};
    if (record_file_number(name, &f.number))
        add_file(s, &f);
}

static int by_number(const void *a, const void *b) {
    uint64_t x = ((const struct history_file *)a)->number, y = ((const struct history_file *)b)->number;
    return x < y ? -1 : x > y;
}

static bool measure(struct history_store *s, struct history_file *f, struct err *e) {
    char path[PATH], head[RECORD_FILE_HEADER];
    struct disk_file *file;
    size_t got = 0;
    path_of(f->number, path);
    if (!disk_open(s->disk, path, DISK_READ, &file, e))
        return false;
    bool ok = disk_file_size(file, &f->size, e) && disk_file_read(file, head, sizeof head, 0, &got, e);
    struct slice rest = slice_of(head, got);
    if (ok && !record_file_open(&rest, &f->begun))
        f->begun.ms = 0; // torn: as old as can be
    disk_file_close(file);
    s->total += f->size;
    return ok;
}

// Where the last whole record of the file ends.
static bool find_end(struct disk_file *file, uint64_t *end, struct err *e) {
    char *piece = mem_new(1, PIECE);
    uint64_t at = 0;
    size_t got = 0, used;
    bool ok;
    do {
        ok = disk_file_read(file, piece, PIECE, at, &got, e);
        struct slice rest = slice_of(piece, ok ? got : 0), packed;
        struct wall begun;
        if (at == 0 && ok)
            (void)record_file_open(&rest, &begun);
        while (record_file_next(&rest, &packed))
            continue;
        used = ok ? got - rest.n : 0;
        at += used;
    } while (used > 0);
    free(piece);
    *end = at;
    return ok;
}

// Goes on in the last file unless its end is torn: what a torn end hides would come back behind what is written over
// it.
static bool go_on(struct history_store *s, struct err *e) {
    char path[PATH];
    uint64_t end = 0;
    struct history_file *last = last_of(s);
    path_of(last->number, path);
    if (!disk_open(s->disk, path, DISK_WRITE, &s->now, e) || !find_end(s->now, &end, e))
        return false;
    if (end == last->size && end >= RECORD_FILE_HEADER)
        return true;
    disk_file_close(s->now);
    s->now = NULL;
    return true;
}

static bool take_up(struct history_store *s, struct err *e) {
    if (!disk_make_dir(s->disk, "history", e) || !disk_list(s->disk, "history", add_found, s, e))
        return false;
    if (s->files_n) {
        qsort(s->files, s->files_n, sizeof *s->files, by_number);
        s->number = last_of(s)->number;
    }
    for (size_t i = 0; i < s->files_n; i++)
        if (!measure(s, &s->files[i], e))
            return false;
    return s->files_n == 0 || go_on(s, e);
}

bool history_store_open(struct history_store *s, struct err *e) {
    s->open = take_up(s, e);
    if (!s->open)
        history_store_close(s);
    return s->open;
}

// ---- writing

static bool room_on_disk(struct history_store *s, struct err *e) {
    uint64_t free_bytes;
    if (!disk_free_bytes(s->disk, &free_bytes, e))
        return false;
    return free_bytes >= s->reserve + file_size(s) || err_sys(e, ENOSPC, "leaving the rest of the disk to mail");
}

static bool begin_file(struct history_store *s, struct wall now, struct err *e) {
    struct history_file f = {.number = s->number + 1, .begun = now};
    BUF_AUTO struct buf head = {.max = RECORD_FILE_HEADER};
    struct disk_file *file;
    char path[PATH];
    while (s->files_n && s->total + file_size(s) > s->size_max)
        remove_oldest(s);
    path_of(f.number, path);
    if (!room_on_disk(s, e) || !disk_open(s->disk, path, DISK_WRITE | DISK_CREATE, &file, e))
        return false;
    record_file_begin(&head, now);
    if (!disk_file_write_slice(file, buf_slice(&head), 0, e)) {
        disk_file_close(file);
        return false; // the next try takes the same number
    }
    disk_file_close(s->now);
    s->now = file;
    s->number = f.number;
    f.size = head.n;
    add_file(s, &f);
    return true;
}

static bool is_done(const struct history_store *s, size_t n, struct wall now) {
    const struct history_file *last = last_of(s);
    return !s->now || (last->size > RECORD_FILE_HEADER && last->size + n > file_size(s)) ||
           (s->age_max && now.ms - last->begun.ms > age_of_file(s));
}

bool history_store_write(struct history_store *s, struct slice records, struct wall now, struct err *e) {
    if (!s->open && !history_store_open(s, e))
        return false;
    history_store_age(s, now);
    if (is_done(s, records.n, now) && !begin_file(s, now, e))
        return false;
    struct history_file *last = last_of(s);
    if (!disk_file_write_slice(s->now, records, last->size, e))
        return false;
    last->size += records.n;
    s->total += records.n;
    return true;
}

void history_store_close(struct history_store *s) {
    disk_file_close(s->now);
    free(s->files);
    s->now = NULL;
    s->files = NULL;
    s->files_n = s->files_cap = 0;
    s->total = 0;
    s->open = false;
}
