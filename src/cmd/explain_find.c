// explain_find: two passes: which stories are meant, then all of their records.
#include "cmd/explain_find.h"

#include "base/mem.h"
#include "core/record_file.h"
#include "rt/file.h"
#include "rt/file_list.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_BYTES = 64 << 20, STORY_BYTES = 16 << 20, RECORD_BYTES = 1 << 20 };

struct numbers {
    uint64_t *list;
    size_t n, cap;
};

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

static void add_number(void *arg, struct slice name) {
    struct numbers *all = arg;
    char text[RECORD_FILE_NAME];
    uint64_t number;
    if (name.n != sizeof text - 1)
        return;
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    if (!record_file_number(text, &number))
        return;
    if (all->n == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 64;
        all->list = mem_grow(all->list, all->cap, sizeof *all->list);
    }
    all->list[all->n++] = number;
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

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
    char path[4096], name[RECORD_FILE_NAME];
    struct wall begun;
    struct slice packed;
    struct err ignored;
    record_file_name(number, name);
    snprintf(path, sizeof path, "%s/%s", directory, name);
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
    struct numbers all = {0};
    list_init(&f->stories);
    if (!file_list(directory, add_number, &all, e))
        return false;
    if (all.n)
        qsort(all.list, all.n, sizeof *all.list, by_size);
    for (size_t i = 0; i < all.n; i++)
        look_through(f, directory, all.list[i], true);
    leave_out(f, f->most);
    for (size_t i = 0; i < all.n && f->stories_n; i++)
        look_through(f, directory, all.list[i], false);
    free(all.list);
    return true;
}

void explain_found_done(struct explain_found *f) {
    while (f->stories_n)
        free_story(f, LIST_ENTRY(f->stories.next, struct explain_story, entry));
    map_done(&f->by_key);
}
