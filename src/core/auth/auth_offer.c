// auth_offer: mechanisms by back ends.
#include "core/auth/auth_offer.h"

#define BIT(name) (1u << CONFIG_MECHANISM_##name)

uint32_t auth_mechanisms(const struct config *c) {
    bool file = config_has_auth(c, CONFIG_AUTH_FILE);
    bool other = config_has_auth(c, CONFIG_AUTH_PAM) || config_has_auth(c, CONFIG_AUTH_DOVECOT);
    bool tokens = config_has_auth(c, CONFIG_AUTH_JWT) || config_has_auth(c, CONFIG_AUTH_INTROSPECT);
    uint32_t can = 0;
    if (file || other)
        can |= BIT(PLAIN) | BIT(LOGIN);
    if (file && !other)
        can |= BIT(SCRAM_SHA_1) | BIT(SCRAM_SHA_256) | BIT(SCRAM_SHA_256_PLUS);
    if (tokens)
        can |= BIT(OAUTHBEARER) | BIT(XOAUTH2);
    if (c->tls_client_ca.n)
        can |= BIT(EXTERNAL);
    return c->mechanisms & can;
}
