// smtpd_proxy: who is behind a proxy, from the header that it sends first (wire/proxy_protocol.h).
#pragma once

#include "rt/transport.h"
#include "wire/netaddr.h"

enum { SMTPD_PROXY_MS = 5 * MS_SECOND }; // patience for the header

// Reads exactly the header. `client` and `local` stay what they are when the proxy speaks for itself. False: there came
// none; the connection is of no use.
FIBER_FN MUST_CHECK bool smtpd_proxy_read(struct transport *t, struct netaddr *client, struct netaddr *local,
                                          struct err *e);
