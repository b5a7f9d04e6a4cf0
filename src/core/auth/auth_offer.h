// auth_offer: which SASL mechanisms make sense with the back ends that the configuration names.
#pragma once

#include "core/config/config.h"

// Those of c->mechanisms that the back ends can do, as 1 << enum config_mechanism. What the connection must bring is
// the session's to look at: TLS for all, a channel binding for SCRAM-...-PLUS, a verified certificate for EXTERNAL.
//
// PLAIN and LOGIN want a back end that takes passwords. SCRAM wants keys that only a password file has: where other
// back ends take passwords as well, offering it would lock their users out, since clients prefer it. OAUTHBEARER and
// XOAUTH2 want one that takes tokens. EXTERNAL wants `tls client-ca`.
uint32_t auth_mechanisms(const struct config *c);
