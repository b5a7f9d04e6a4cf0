// apart: a piece of work in a copy of this process that is waited for at once, so that what it reads, a private key
// say, never comes into our own memory. For those without a loop, or whose loop may wait: master and the command line.
#pragma once

#include "base/buf.h"
#include "base/err.h"

// Gives what `work` gives, and what it added to `out`. False and a text in `out` as well when there could be no copy.
bool apart_run(bool (*work)(void *arg, struct buf *out), void *arg, struct buf *out);
