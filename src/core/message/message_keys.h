// message_keys: payloads of the links to the process that holds private keys. It gives away certificates, names of
// signers and signatures, never a private key.
#pragma once

#include "base/arena.h"
#include "base/pack.h"

// --- smtpd, submission -> keys: KEYS_WATCH {} once. The answer is KEYS_SET under the same id; another KEYS_SET, under
// id 0, comes whenever a file or a ticket key has changed.

struct message_keys_certificate {
    uint32_t key;       // number of its private key, for KEYS_SIGN: the same in every keys process that has this key
    struct slice chain; // PEM, leaf first
    struct slice ocsp;  // DER; empty: none
};

struct message_keys_dkim {
    uint32_t key;
    bool ed25519;        // else RSA
    struct slice domain; // as config_dkim.domain
    struct slice signer, selector;
};

enum { MESSAGE_TICKET_KEY = 80 }; // bytes: name 16, AES-256 key 32, HMAC-SHA-256 key 32

// Ticket keys of the asking role only. The first encrypts, all decrypt; empty: no tickets.
struct message_keys_set {
    struct message_keys_certificate *certificates; // in the order of the configuration
    size_t certificates_n;
    struct message_keys_dkim *dkims;
    size_t dkims_n;
    struct slice tickets; // n * MESSAGE_TICKET_KEY bytes
};
bool message_keys_set_pack(struct buf *b, const struct message_keys_set *m);
bool message_keys_set_unpack(struct slice payload, struct arena *arena, struct message_keys_set *out);

// --- KEYS_SIGN -> KEYS_SIGNED

enum message_keys_padding { MESSAGE_KEYS_NONE /* EC, Ed25519 */, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_PSS };
enum message_keys_hash {
    MESSAGE_KEYS_PURE, // Ed25519: the bytes themselves
    MESSAGE_KEYS_SHA1,
    MESSAGE_KEYS_SHA256,
    MESSAGE_KEYS_SHA384,
    MESSAGE_KEYS_SHA512,
    MESSAGE_KEYS_MD5_SHA1, // RSA in TLS before 1.2: 36 bytes
};

enum {
    MESSAGE_KEYS_PURE_MAX = 64 * 1024,
    MESSAGE_KEYS_SIGNATURE_MAX = 2048, // bytes: RSA of 16384 bits
    MESSAGE_KEYS_MAX = 16384,          // certificates, and DKIM keys, of one set
};

struct message_keys_sign {
    uint32_t key;
    enum message_keys_padding padding;
    enum message_keys_hash hash;
    struct slice digest; // the hash's value; PURE: the bytes to be signed, at most MESSAGE_KEYS_PURE_MAX
};
bool message_keys_sign_pack(struct buf *b, const struct message_keys_sign *m);
bool message_keys_sign_unpack(struct slice payload, struct message_keys_sign *out);

struct message_keys_signed {
    bool ok;                // false: no such key (any more), or not with that padding and hash
    struct slice signature; // EC: DER, as TLS has it
};
bool message_keys_signed_pack(struct buf *b, const struct message_keys_signed *m);
bool message_keys_signed_unpack(struct slice payload, struct message_keys_signed *out);
