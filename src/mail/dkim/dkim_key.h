// dkim_key: the public key of a selector as its DNS record has it (RFC 6376 3.6.1, RFC 8463 3).
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { DKIM_KEY_MAX = 8 * 1024, DKIM_KEY_ED25519 = 32 }; // bytes of a record; of an Ed25519 key

struct dkim_key {
    bool ed25519;     // else RSA
    struct slice key; // RSA: DER, SubjectPublicKeyInfo or RSAPublicKey; Ed25519: 32 bytes. Empty: it was revoked
    bool sha256;      // h= allows it, or is absent
    bool email;       // s= allows it, or is absent
    bool testing;     // t=y
    bool same_domain; // t=s: i= may not be of a sub-domain
};

// `key` is in `arena`. What makes a record useless is permanent, and `e` says it in words for people; that it isn't
// for SHA-256 or e-mail is the caller's to see.
MUST_CHECK bool dkim_key_parse(struct slice record, struct arena *arena, struct dkim_key *out, struct err *e);

// The record of a key, such as "v=DKIM1; k=ed25519; p=...". `key` as above.
bool dkim_key_print(bool ed25519, struct slice key, struct buf *out);
