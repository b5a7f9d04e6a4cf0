// simulate_records: recorded sessions out of a file: lines of `posthouse explain --json`, or a segment of the history.
#pragma once

#include "base/err.h"
#include "core/record.h"

enum { SIMULATE_RECORDS_MAX = 1 << 30 }; // bytes of a file

// Hands each record to `take`, whose memory is gone afterwards. False: `e` names the line that can't be read.
MUST_CHECK bool simulate_records(struct slice text, void (*take)(void *arg, const struct record *r), void *arg,
                                 struct err *e);
