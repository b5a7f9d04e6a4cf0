// smtpd_name: a client's name in DNS, for filters. A stranger's the gate finds out; of trusted clients and users nobody
// else asks, so their sessions do it once, where there are filters that want to know.
#pragma once

#include "base/slice.h"
#include "rt/fiber/fiber.h"

struct smtpd_session;

// `*confirmed`: it leads back to the address. Empty: there is none, or nobody knows now. Waits at the first call only,
// `checks dns-time` at most. Lasts until somebody else is the client.
FIBER_FN struct slice smtpd_name(struct smtpd_session *s, bool *confirmed);
