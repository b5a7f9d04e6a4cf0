// private_key: a private key in memory, and signing with it. For the keys process, and for tests that are their own.
#pragma once

#include "base/err.h"
#include "core/message/message_keys.h"

struct private_key;

enum private_key_kind { PRIVATE_KEY_RSA, PRIVATE_KEY_EC, PRIVATE_KEY_ED25519, PRIVATE_KEY_KINDS };

// Keys that are read from now on lie in memory that is left out of dumps and never swapped, where the system's limits
// allow. Once a process, before the first, for that many; when there is no more room for one it can't be read.
void private_key_protect(size_t keys);

// From unencrypted PEM. NULL and `e`: no such, or a kind that we don't sign with.
struct private_key *private_key_read(struct slice pem, struct err *e);
void private_key_free(struct private_key *k); // takes NULL

enum private_key_kind private_key_kind(const struct private_key *k);
uint32_t private_key_bits(const struct private_key *k);

// The same for the same key and purpose in every process, and another for another, as far as 32 bits can tell.
uint32_t private_key_number(const struct private_key *k, struct slice purpose);

// Whether it belongs to the first certificate of a PEM chain.
MUST_CHECK bool private_key_fits(const struct private_key *k, struct slice chain, struct err *e);

// Adds the signature to `out`. False where the key can't sign so.
MUST_CHECK bool private_key_sign(struct private_key *k, const struct message_keys_sign *what, struct buf *out,
                                 struct err *e);
