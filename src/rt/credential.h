// credential: whether a certificate and a private key are what they should be, and how long a certificate is good.
#pragma once

#include "base/err.h"

#include <stdint.h>

// Both as PEM; the certificate first in its chain. Says what is wrong: unreadable, encrypted key, not each other's.
// One that has expired is no mistake: opportunistic TLS takes it, and its successor may come at any time.
MUST_CHECK bool credential_check(struct slice certificate, struct slice key, struct err *e);

// When the first certificate of a PEM chain expires, in seconds since 1970.
MUST_CHECK bool credential_expiry(struct slice chain, int64_t *at, struct err *e);

// A private key for DKIM: RSA of at least 2048 bits, or Ed25519.
MUST_CHECK bool credential_check_dkim(struct slice key, bool *ed25519, struct err *e);
