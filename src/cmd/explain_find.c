// explain_find: two passes: which stories are meant, then all of their records.
#include "cmd/explain_find.h"

#include "base/mem.h"
#include "cmd/history_files.h"
#include "core/history/record_file.h"
#include "rt/disk/file.h"

#include <stdlib.h>

enum { FILE_BYTES = 64 << 20, STORY_BYTES = 16 << 20, RECORD_BYTES = 1 << 20 };

// ---- stories

static void free_story(struct explain_found *f, struct explain_story *s) {
    map_remove(&f->by_key, s->key);
    list_remove(&s->entry);
    f->stories_n--;
    arena_done(&s->arena);
    free(s->records);
    free(s);
}

static struct explain_story *story_of(const struct explain_found *f, const struct record *r) {
    BUF_AUTO struct buf key = {.max = STORY_KEY};
    story_key(r, &key);
    return map_get(&f->by_key, buf_slice(&key));
}

// Those that had to do with it longest ago.
static void leave_out(struct explain_found *f, size_t most) {
    for (; f->stories_n > most; f->older++)
        free_story(f, LIST_ENTRY(f->stories.next, struct explain_story, entry));
}

static void mark(struct explain_found *f, const struct record *r) {
    BUF_AUTO struct buf key = {.max = STORY_KEY};
    struct explain_story *s = story_of(f, r);
    if (s) {
        list_remove(&s->entry);
        list_append(&f->stories, &s->entry);
        return;
    }
    story_key(r, &key);
    s = mem_new(1, sizeof *s + key.n);
    *s = (struct explain_story){.arena = {.max = STORY_BYTES}};
    s->key = slice_of(memcpy(s + 1, key.p, key.n), key.n);
    map_set(&f->by_key, s->key, s);
    list_append(&f->stories, &s->entry);
    f->stories_n++;
    leave_out(f, EXPLAIN_STORIES_MAX);
}

static void keep(struct explain_story *s, struct slice packed) {
    struct slice copy = s->n < EXPLAIN_STORY_RECORDS ? arena_dup(&s->arena, packed) : SLICE_EMPTY;
    struct record *r = copy.n ? ARENA_NEW(&s->arena, struct record) : NULL;
    if (!r || !record_unpack(copy, &s->arena, r)) {
        s->left_out++;
        return;
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->records = mem_grow(s->records, s->cap, sizeof *s->records);
    }
    size_t at = s->n++;
    for (; at > 0 && story_order(s->records[at - 1], r) > 0; at--)
        s->records[at] = s->records[at - 1];
    s->records[at] = r;
}

// ---- files

static void look_at(struct explain_found *f, struct slice packed, struct arena *arena, bool first) {
    struct record r;
    if (!record_unpack(packed, arena, &r)) {
        f->broken += first;
        return;
    }
    f->records += first;
    if (first && story_matches(&f->wish, &r))
        mark(f, &r);
    struct explain_story *s = first ? NULL : story_of(f, &r);
    if (s)
        keep(s, packed);
}

// A file may go while this one looks: the server removes the oldest.
static void look_through(struct explain_found *f, const char *directory, uint64_t number, bool first) {
    ARENA_AUTO struct arena arena = {.max = RECORD_BYTES};
    BUF_AUTO struct buf bytes = {.max = FILE_BYTES};
    char path[HISTORY_FILES_PATH];
    struct wall begun;
    struct slice packed;
    struct err ignored;
    history_files_path(directory, number, path);
    if (!file_read(path, &bytes, &ignored))
        return;
    struct slice rest = buf_slice(&bytes);
    if (!record_file_open(&rest, &begun))
        return;
    while (record_file_next(&rest, &packed)) {
        look_at(f, packed, &arena, first);
        arena_reset(&arena);
    }
}

bool explain_find(struct explain_found *f, const char *directory, struct err *e) {
    struct history_files all;
    list_init(&f->stories);
    if (!history_files_list(directory, &all, e))
        return false;
    for (size_t i = 0; i < all.n; i++)
        look_through(f, directory, all.numbers[i], true);
    leave_out(f, f->most);
    for (size_t i = 0; i < all.n && f->stories_n; i++)
        look_through(f, directory, all.numbers[i], false);
    history_files_done(&all);
    return true;
}

void explain_found_done(struct explain_found *f) {
    while (f->stories_n)
        free_story(f, LIST_ENTRY(f->stories.next, struct explain_story, entry));
    map_done(&f->by_key);
}
