// history_files: the files of STATE/history (core/history/record_file.h), read whether the server runs or not.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct history_files {
    uint64_t *numbers; // oldest first
    size_t n, cap;
};

// False: there is no such directory, or it can't be read.
bool history_files_list(const char *directory, struct history_files *out, struct err *e);
void history_files_done(struct history_files *f);

enum { HISTORY_FILES_PATH = 4096 };
void history_files_path(const char *directory, uint64_t number, char to[HISTORY_FILES_PATH]);
