// credential: whether a certificate and a private key are what they should be, before a server starts with them.
#pragma once

#include "base/err.h"

// Both as PEM; the certificate first in its chain. Says what is wrong: unreadable, encrypted key, not each other's,
// expired (at `now`, seconds since 1970).
MUST_CHECK bool credential_check(struct slice certificate, struct slice key, int64_t now, struct err *e);
