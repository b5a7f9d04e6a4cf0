// host_address: addresses of a host by the system's resolver (getaddrinfo). Blocks for seconds: for roles that do
// little else. What goes into mail's routing asks the resolver's process instead.
#pragma once

#include "base/err.h"
#include "wire/netaddr.h"

enum { HOST_ADDRESSES_MAX = 8 };

// Loads what the C library wants for it: to be called before the jail.
void host_address_prepare(void);

// `name` is NUL-terminated: a host, or an address as text. At least one, at most `max`, without ports.
MUST_CHECK bool host_addresses(const char *name, struct netaddr *to, size_t max, size_t *n, struct err *e);
