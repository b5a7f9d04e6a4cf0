// smtpd_message: DATA and BDAT: the content of a message, and the answer to it. 250 is said only when the queue has it
// on disk.
#pragma once

#include "rt/fiber.h"
#include "wire/smtp_command.h"

struct smtpd_session;

// The commands, with their replies. Whatever is wrong, the content is read to its end.
FIBER_FN void smtpd_data(struct smtpd_session *s);
FIBER_FN void smtpd_bdat(struct smtpd_session *s, const struct smtp_command *c);
