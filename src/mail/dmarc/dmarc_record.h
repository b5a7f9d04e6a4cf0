// dmarc_record: what a TXT record at _dmarc says (RFC 9989 4.7, 4.8), as a receiver reads it: mistakes are passed over
// where the RFC says so.
#pragma once

#include "mail/dmarc/dmarc.h"

enum dmarc_text {
    DMARC_TEXT_FOREIGN,  // no DMARC record, or one whose list of tags is none
    DMARC_TEXT_UNUSABLE, // a DMARC record without a policy that could be used (4.10.1); psd is read
    DMARC_TEXT_POLICY,
};

// `out` is filled but for FOREIGN. `e`: what is wrong, first of all; may be NULL.
enum dmarc_text dmarc_record_read(struct slice text, struct dmarc_record *out, struct err *e);

// Whether every receiver would read it as it is meant: nothing unknown in a known tag, and p right behind v as RFC 7489
// 6.4 had it. `e`: "column 11: ...".
MUST_CHECK bool dmarc_record_check(struct slice text, struct err *e);
