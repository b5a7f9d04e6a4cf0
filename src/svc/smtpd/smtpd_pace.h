// smtpd_pace: what comes, and how fast. A client that drips a byte of content now and then, or an idle command, keeps
// every deadline and a session for ever. Where sessions are scarce, a stranger's content must come at a least rate, and
// its commands must lead to mail: who was waited for for a minute in all since its last message, and a second more for
// each recipient that was taken, gives way.
#pragma once

#include "base/when.h"
#include "rt/fiber/fiber.h"

struct smtpd_session;

enum {
    SMTPD_PACE_RATE = 100,         // bytes a second, on an average over
    SMTPD_PACE_MS = 1 * MS_MINUTE, // of waiting for content; our own work doesn't count
    SMTPD_PACE_COMMANDS_MS = 1 * MS_MINUTE,
    SMTPD_PACE_RECIPIENT_MS = 1 * MS_SECOND,
};

struct smtpd_pace {
    uint64_t bytes;
    int64_t waited_ms;
};

// How long to wait for a command: `timeout command`, and less for who gives way.
struct mono smtpd_pace_patience(const struct smtpd_session *s);

// One came that was waited for since `since`. False: a timeout for who only talks.
MUST_CHECK bool smtpd_pace_command(struct smtpd_session *s, struct mono since, struct err *e);

void smtpd_pace_recipient(struct smtpd_session *s); // one was taken
void smtpd_pace_message(struct smtpd_session *s);   // likewise

// What content is unread, as stream_peek() does, within `timeout data-block`; less under stress. False: as there, and a
// timeout for who is too slow.
FIBER_FN MUST_CHECK bool smtpd_pace_receive(struct smtpd_session *s, struct slice *view, struct err *e);

// `n` bytes of it are done with.
void smtpd_pace_consume(struct smtpd_session *s, size_t n);
