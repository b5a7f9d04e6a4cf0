// scram: what is computed in SCRAM (RFC 5802 3): keys of a password, and the check of a proof against them.
#pragma once

#include "base/digest.h"

enum {
    SCRAM_KEY_MAX = DIGEST_SHA256_SIZE, // bytes; SCRAM-SHA-1 uses the first 20
    SCRAM_SALT_MAX = 64,                // bytes
    SCRAM_ITERATIONS_MIN = 4096,        // RFC 7677 4
    SCRAM_ITERATIONS_MAX = 1000000,
};

// What a server keeps instead of a password. Who has them can't log in, but can play the server, and guess.
struct scram_keys {
    uint8_t stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
};

// `kind` is DIGEST_SHA1 or DIGEST_SHA256. Hashes `iterations` times: some milliseconds.
void scram_keys_of(enum digest_kind kind, struct slice password, struct slice salt, uint32_t iterations,
                   struct scram_keys *out);

// Whether `proof` was made by who knows the password of `keys`, over these words (AuthMessage).
bool scram_proof_fits(enum digest_kind kind, const struct scram_keys *keys, struct slice auth_message,
                      struct slice proof);

// The server's own proof: digest_size(kind) bytes.
void scram_server_signature(enum digest_kind kind, const struct scram_keys *keys, struct slice auth_message,
                            uint8_t *out);

// The client's side, for tools and tests: digest_size(kind) bytes.
void scram_proof(enum digest_kind kind, struct slice password, struct slice salt, uint32_t iterations,
                 struct slice auth_message, uint8_t *out);
