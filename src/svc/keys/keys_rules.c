// keys_rules: one small table.
#include "svc/keys/keys_rules.h"

#include "base/digest.h"

static bool is_of_dkim(const struct message_keys_sign *what) {
    return (what->padding == MESSAGE_KEYS_PKCS1 && what->hash == MESSAGE_KEYS_SHA256) ||
           (what->padding == MESSAGE_KEYS_NONE && what->hash == MESSAGE_KEYS_PURE &&
            what->digest.n == DIGEST_SHA256_SIZE);
}

// RFC 8446 4.4.3: 64 spaces, a context of 34 bytes and a hash. In TLS 1.2 two randoms of 32 bytes and the parameters.
static bool is_of_tls(const struct message_keys_sign *what) {
    return what->hash != MESSAGE_KEYS_PURE || what->digest.n >= 64;
}

bool keys_rules_allow(enum role asker, enum keys_purpose purpose, const struct message_keys_sign *what) {
    if (purpose == KEYS_DKIM)
        return (asker == ROLE_SUBMISSION || asker == ROLE_REPORT) && is_of_dkim(what);
    if (purpose == KEYS_ARC)
        return asker == ROLE_SMTPD && is_of_dkim(what);
    return (asker == ROLE_SUBMISSION || asker == ROLE_SMTPD) && is_of_tls(what);
}
