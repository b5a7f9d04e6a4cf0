// key_make: new private keys for DKIM, and what may be known of one; for the command line.
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { KEY_MAKE_RSA_LEAST = 2048, KEY_MAKE_RSA_MOST = 4096 }; // bits

// Adds a new key as PEM (PKCS#8, unencrypted). `bits`: of RSA. What `pem` holds is to be wiped by the caller.
MUST_CHECK bool key_make(bool ed25519, uint32_t bits, struct buf *pem, struct err *e);

struct key_public {
    bool ed25519; // else RSA
    uint32_t bits;
};

// The public half of a private key as a key record has it: RSA as SubjectPublicKeyInfo (RFC 5280 4.1), Ed25519 as its
// 32 bytes (RFC 8463 4). Added to `to`.
MUST_CHECK bool key_make_public(struct slice pem, struct key_public *out, struct buf *to, struct err *e);
