// sockaddr: the kernel's form of an IP address and port, and ours.
#pragma once

#include "wire/netaddr.h"

#include <netinet/in.h>
#include <sys/socket.h>

union sockaddr_any {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

// Gives how many bytes of `to` the kernel is to look at.
socklen_t sockaddr_make(const struct netaddr *a, union sockaddr_any *to);

// A mapped ::ffff:a.b.c.d becomes the IPv4 address that it is; any other family NETADDR_NONE.
struct netaddr sockaddr_read(const union sockaddr_any *from);
