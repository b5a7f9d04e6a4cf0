// history_files: numbers out of names, in their order.
#include "cmd/history_files.h"

#include "base/mem.h"
#include "core/history/record_file.h"
#include "rt/disk/file_list.h"

#include <stdio.h>
#include <stdlib.h>

static void add_number(void *arg, struct slice name) {
    struct history_files *f = arg;
    char text[RECORD_FILE_NAME] = "";
    uint64_t number;
    if (name.n != sizeof text - 1)
        return;
    memcpy(text, name.p, name.n);
    if (!record_file_number(text, &number))
        return;
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->numbers = mem_grow(f->numbers, f->cap, sizeof *f->numbers);
    }
    f->numbers[f->n++] = number;
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

bool history_files_list(const char *directory, struct history_files *out, struct err *e) {
    *out = (struct history_files){0};
    if (!file_list(directory, add_number, out, e)) {
        history_files_done(out);
        return false;
    }
    if (out->n)
        qsort(out->numbers, out->n, sizeof *out->numbers, by_size);
    return true;
}

void history_files_done(struct history_files *f) {
    free(f->numbers);
    *f = (struct history_files){0};
}

void history_files_path(const char *directory, uint64_t number, char to[HISTORY_FILES_PATH]) {
    char name[RECORD_FILE_NAME];
    record_file_name(number, name);
    snprintf(to, HISTORY_FILES_PATH, "%s/%s", directory, name);
}
