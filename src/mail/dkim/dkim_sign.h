// dkim_sign: the DKIM-Signature field (RFC 6376 3.5; RFC 8463), but for the signature itself, which whoever holds the
// key makes:
//
//     dkim_sign_header(DKIM_RELAXED, header, &h);                what is signed; once for all signatures of a message
//     dkim_sign_prepare(&h, &by, when, body_hash, &field, digest);
//     ... signs `digest`: RSASSA-PKCS1-v1_5 over it as a SHA-256, or Ed25519 over its 32 bytes ...
//     dkim_sign_finish(&field, signature);
//
// Always all of the body: never l=.
#pragma once

#include "base/when.h"
#include "mail/dkim/dkim_canon.h"

struct dkim_sign_by {
    struct slice domain, selector;
    bool ed25519;     // else rsa-sha256
    int64_t expire_s; // seconds until x=; 0: none
};

// The fields that are signed: which (the value of h=), and their canonical form. Zeroed is valid and empty.
struct dkim_sign_header {
    enum dkim_canon canon;
    struct buf names, canonical;
};

enum { DKIM_SIGN_HEADER_MAX = 4 * 1024 * 1024 }; // bytes of either

// `header` is a header section; what follows its end doesn't count. False: too large.
bool dkim_sign_header(enum dkim_canon canon, struct slice header, struct dkim_sign_header *out);
void dkim_sign_header_done(struct dkim_sign_header *h);

// Adds the field with its b= empty to `field`, and gives what is to be signed. `body`: canonicalisation and hash of the
// body. False when `field` is full.
bool dkim_sign_prepare(const struct dkim_sign_header *h, const struct dkim_sign_by *by, struct wall when,
                       enum dkim_canon body, const uint8_t body_hash[DIGEST_SHA256_SIZE], struct buf *field,
                       uint8_t digest[DIGEST_SHA256_SIZE]);

// Puts the signature into what dkim_sign_prepare() added, and the line's end behind it.
bool dkim_sign_finish(struct buf *field, struct slice signature);

// Bytes that the finished field has at most, for a signature of so many.
size_t dkim_sign_room(const struct dkim_sign_header *h, const struct dkim_sign_by *by, size_t signature);
