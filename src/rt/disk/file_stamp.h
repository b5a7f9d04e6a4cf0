// file_stamp: whether a file is still the one that was read: cheap to ask, so that it can be asked often.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct file_stamp {
    uint64_t device, number, size;
    int64_t modified_ns, changed_ns;
};

// False when it can't be looked at: `e`.
MUST_CHECK bool file_stamp(const char *path, struct file_stamp *out, struct err *e);

bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b);
