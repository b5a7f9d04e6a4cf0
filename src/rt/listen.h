// listen: listening sockets, bound by master before anything else happens.
#pragma once

#include "base/err.h"
#include "wire/netaddr.h"

// Non-blocking. `only_v6` keeps [::] from taking IPv4 as well. e->sys is EADDRINUSE, EACCES, EADDRNOTAVAIL, ...
MUST_CHECK bool listen_tcp(const struct netaddr *at, bool only_v6, int *out, struct err *e);

// A stream socket at `path`, mode 0600, in place of a stale one: the caller knows that nobody serves it.
MUST_CHECK bool listen_unix(const char *path, int *out, struct err *e);
