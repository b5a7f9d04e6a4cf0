// resolver_unbound: DNS by libunbound: the system's resolvers, given forwarders, or full recursion from the root.
//
// DNSSEC: with recursion answers are validated from the start. Forwarders may not pass what validation needs; then it
// would break every answer. So answers begin without, a signed answer (the root's NS) is tried meanwhile, and only when
// that proves secure are answers validated; otherwise they count as insecure, and it is tried again every hour.
#pragma once

#include "svc/resolver/resolver.h"

// To be made by the process that will use it: after fork, before its jail (it reads /etc/resolv.conf and the root's
// trust anchors). NULL: `e`.
struct resolver_backend *resolver_unbound_new(struct world *w, const struct config *c, struct err *e);
