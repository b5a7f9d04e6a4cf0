// report_unpack: the document in what came as a report: as it is, compressed by gzip or in a zip archive, or attached
// to a mail that is any of these.
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { REPORT_UNPACK_DEPTH = 5 }; // parts within parts of a mail

// The bytes of the first document (XML) found in `file`, in `out`, at most out->max. `e`: what it is instead.
MUST_CHECK bool report_unpack(struct slice file, struct buf *out, struct err *e);
