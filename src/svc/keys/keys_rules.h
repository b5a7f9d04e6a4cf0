// keys_rules: who may have signed what with which key, so that a key is good for its purpose only.
#pragma once

#include "core/message/message_keys.h"
#include "wire/link_frame.h"

enum keys_purpose { KEYS_TLS, KEYS_DKIM, KEYS_ARC };

// DKIM's keys serve submission, and report for its own mail (keys_store_serves), and sign SHA-256 with PKCS #1, or 32
// bytes with Ed25519 (RFC 6376 3.3, RFC 8463 3): nothing that a handshake could use. That of ARC serves smtpd only, in
// the same way (RFC 8617 4.1.2). TLS's never sign PKCS #1 or Ed25519 for less than what a handshake hashes.
bool keys_rules_allow(enum role asker, enum keys_purpose purpose, const struct message_keys_sign *what);
