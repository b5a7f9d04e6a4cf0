// file_list: the names in a directory.
#pragma once

#include "base/err.h"

// Calls `each` for every name but those that begin with a dot, in no order. False when it can't be read: `e`.
MUST_CHECK bool file_list(const char *path, void (*each)(void *arg, struct slice name), void *arg, struct err *e);
