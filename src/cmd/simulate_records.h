// simulate_records: recorded decisions out of files: lines of `posthouse explain --json`, a file of the history, or its
// directory.
#pragma once

#include "base/err.h"
#include "core/history/record.h"

enum { SIMULATE_RECORDS_MAX = 1 << 30 }; // bytes of a file

// Hands each record to `take`, whose memory is gone afterwards. False: `e` names what can't be read.
MUST_CHECK bool simulate_records(const char *path, void (*take)(void *arg, const struct record *r), void *arg,
                                 struct err *e);
