// digest: SHA-1, SHA-256 and SHA-512, what is built on them (HMAC, PBKDF2), and comparing in constant time. By
// libcrypto.
#pragma once

#include "base/slice.h"

#include <stdint.h>

enum digest_kind { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };

enum { DIGEST_SHA1_SIZE = 20, DIGEST_SHA256_SIZE = 32, DIGEST_SHA512_SIZE = 64, DIGEST_MAX = 64 }; // bytes

size_t digest_size(enum digest_kind kind);

// At once. `out` has digest_size(kind) bytes.
void digest_of(enum digest_kind kind, struct slice bytes, uint8_t *out);

// Piece by piece: digest_init, digest_add as often as wanted, digest_end; then digest_init again, or digest_done.
// Zeroed is a valid one that holds nothing. The only allocation is at the first digest_init; SHA-256 of long pieces
// runs at the processor's own speed (its SHA instructions, where it has them).
struct digest {
    struct evp_md_ctx_st *context; // ours
    enum digest_kind kind;
};

void digest_init(struct digest *d, enum digest_kind kind);
void digest_add(struct digest *d, struct slice bytes);
void digest_end(struct digest *d, uint8_t *out); // digest_size(d->kind) bytes
void digest_done(struct digest *d);              // wipes and frees; may be called twice

// What digest_end would give now; adding goes on.
void digest_peek(const struct digest *d, uint8_t *out);

// RFC 2104. `out` has digest_size(kind) bytes and may not overlap the input.
void digest_hmac(enum digest_kind kind, struct slice key, struct slice bytes, uint8_t *out);

// PBKDF2 with HMAC (RFC 8018 5.2), `n` bytes; `iterations` at least 1. Takes about half a millisecond for 1,000
// iterations.
void digest_pbkdf2(enum digest_kind kind, struct slice password, struct slice salt, uint32_t iterations, uint8_t *out,
                   size_t n);

// Whether they are the same, in a time that tells nothing but their lengths.
bool digest_equal(struct slice a, struct slice b);

#define DIGEST_AUTO __attribute__((cleanup(digest_done)))
