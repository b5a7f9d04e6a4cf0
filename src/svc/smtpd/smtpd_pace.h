// smtpd_pace: content as it comes, and how fast. A client that drips a byte now and then keeps every deadline and a
// session for ever; where sessions are scarce, a stranger's content must come at a least rate.
#pragma once

#include "base/when.h"
#include "rt/fiber.h"

struct smtpd_session;

enum {
    SMTPD_PACE_RATE = 100,         // bytes a second, on an average over
    SMTPD_PACE_MS = 1 * MS_MINUTE, // of waiting for content; our own work doesn't count
};

struct smtpd_pace {
    uint64_t bytes;
    int64_t waited_ms;
};

// What content is unread, as stream_peek() does, within `timeout data-block`; less under stress. False: as there, and a
// timeout for who is too slow.
FIBER_FN MUST_CHECK bool smtpd_pace_receive(struct smtpd_session *s, struct slice *view, struct err *e);

// `n` bytes of it are done with.
void smtpd_pace_consume(struct smtpd_session *s, size_t n);
