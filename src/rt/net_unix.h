// net_unix: connecting to a Unix socket by its path.
#pragma once

#include "rt/transport.h"

// `path` is absolute and at most 107 bytes, as the kernel has it; a longer one is a permanent error. Doesn't wait: a
// Unix socket connects at once, or its listener's backlog is full, which is a temporary error.
MUST_CHECK bool net_unix_connect(struct loop *loop, struct slice path, struct transport **out, struct err *e);
