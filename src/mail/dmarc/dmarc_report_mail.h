// dmarc_report_mail: the mail that an aggregate report travels in (RFC 9990 3.5): its subject and its file's name are
// what readers go by, the XML is compressed by gzip.
#pragma once

#include "base/when.h"
#include "mail/dmarc/dmarc_report.h"

enum { DMARC_REPORT_MAIL_MAX = 7 * 1024 * 1024 }; // bytes; what comes out larger isn't sent

struct dmarc_report_mail {
    struct slice hostname; // ours
    struct slice from, to; // addresses
    const struct dmarc_report *report;
    struct wall now;
};

// Lines end in CRLF. False: `out` is full, or no memory for compressing.
bool dmarc_report_mail_write(const struct dmarc_report_mail *m, struct buf *out);
