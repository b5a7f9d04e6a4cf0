// input: what a command is given on standard input or as a file, whole.
#pragma once

#include "base/buf.h"
#include "base/err.h"

// At most to->max bytes.
MUST_CHECK bool input_read(struct buf *to, struct err *e);
// The same of a file, which may be a pipe: a shell's <(...), /dev/stdin.
MUST_CHECK bool input_read_file(const char *path, struct buf *to, struct err *e);

// Text of a file, whose lines may end in LF, as mail has it: they end in CRLF, and the "From " line of an mbox in front
// of it all is gone. False: `out` is full.
MUST_CHECK bool input_with_crlf(struct slice text, struct buf *out);
