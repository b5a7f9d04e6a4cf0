// smtpd_record: what is remembered of trusted clients and of users, who have no gate: what became of their mail, and
// whom they wrote to.
#pragma once

#include "base/err.h"
#include "base/hash.h"
#include "core/history/record.h"

struct smtpd_session;

// Of a stage of this session: accepted (or held) where there is no `why`. `recipient`: of RCPT; else empty.
void smtpd_record(struct smtpd_session *s, enum record_stage stage, struct slice recipient, const struct err *why);

// A filter said so about the message at hand, or our own guard.
void smtpd_record_filter(struct smtpd_session *s, struct slice name, struct slice words);

// Those abroad that the message went to, so that their answers pass. Each is told once in a while.
void smtpd_record_wrote(struct smtpd_session *s);

enum { SMTPD_WROTE_KEPT = 1024, SMTPD_RECORD_FILTERS = 20 };

// Who was told of lately; one per process.
struct smtpd_wrote {
    struct hash_key key;
    uint64_t hashes[SMTPD_WROTE_KEPT];
    struct mono since;
};
