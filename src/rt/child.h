// child: a piece of work in a process of its own, which may hang or crash as it likes: for libraries that load code
// nobody knows. For roles whose jail allows fork() only.
#pragma once

#include "base/buf.h"
#include "rt/fiber/fiber.h"

// Runs `work` in a copy of this process, on the process's own stack, with nothing open but the standard descriptors,
// and waits for what it wrote into `out` (room for `result->max` bytes; that is the end of it). Killed at the deadline,
// together with its process group. An end without success, or a result that doesn't fit, is a temporary
// error.
FIBER_FN MUST_CHECK bool child_run(bool (*work)(void *arg, struct buf *out), void *arg, struct mono deadline,
                                   struct buf *result, struct err *e);
