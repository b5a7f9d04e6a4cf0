// signature: whether a signature over a SHA-256 digest holds: RSASSA-PKCS1-v1_5 (RFC 8017 8.2.2) and Ed25519 (RFC
// 8032), with public keys as they come from DNS (RFC 6376 3.6.1, RFC 8463). By libcrypto's big numbers and EVP.
//
// Nothing here is secret, so nothing is in constant time. What a hostile key costs is bounded: exponents have at most
// 64 bits, moduli SIGNATURE_RSA_MAX.
#pragma once

#include "base/digest.h"
#include "base/err.h"

enum { SIGNATURE_RSA_MAX = 8192, SIGNATURE_ED25519_SIZE = 64, SIGNATURE_ED25519_KEY = 32 }; // bits; bytes; bytes

// A key that was read: views into what it was read from.
struct signature_key {
    bool ed25519;                   // else RSA
    unsigned bits;                  // of the modulus; 256 for Ed25519
    struct slice modulus, exponent; // RSA: big-endian, without zeros in front
    struct slice point;             // Ed25519
};

// `key`: DER, SubjectPublicKeyInfo or RSAPublicKey; for Ed25519 32 bytes. What follows the DER is ignored.
MUST_CHECK bool signature_key_read(bool ed25519, struct slice key, struct signature_key *out, struct err *e);

// About 15 us for an RSA key of 2048 bits, 60 us for Ed25519.
bool signature_holds(const struct signature_key *key, const uint8_t digest[DIGEST_SHA256_SIZE], struct slice signature);
