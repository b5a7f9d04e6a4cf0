// smtpd_message: DATA and BDAT: the content of a message, and the answer to it. 250 is said only when the queue has it
// on disk.
#pragma once

#include "base/err.h"
#include "rt/fiber/fiber.h"
#include "rt/metric.h"
#include "wire/smtp_command.h"

struct smtpd_session;

// What a refused message counts as.
enum metric_label_REASON smtpd_message_reason(const struct smtpd_session *s, const struct err *e);

// The commands, with their replies. Whatever is wrong, the content is read to its end.
FIBER_FN void smtpd_data(struct smtpd_session *s);
FIBER_FN void smtpd_bdat(struct smtpd_session *s, const struct smtp_command *c);

// A chunk that has no place is read all the same: its bytes must never be taken for commands (RFC 3030 2). False: the
// connection is of no use any more.
FIBER_FN MUST_CHECK bool smtpd_skip_chunk(struct smtpd_session *s, uint64_t n);
