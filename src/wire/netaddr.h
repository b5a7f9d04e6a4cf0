// netaddr: IPv4 and IPv6 addresses, with ports and as networks, as values; text both ways (RFC 4291 2.2, RFC 5952,
// RFC 4632). A mapped ::ffff:a.b.c.d is kept as the IPv4 address that it is.
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum netaddr_family { NETADDR_NONE, NETADDR_V4, NETADDR_V6 };

struct netaddr {
    enum netaddr_family family;
    uint8_t ip[16]; // network order; V4 uses the first four, the rest is zero
    uint16_t port;  // host order; 0 where none is meant
};

struct netaddr_net {
    struct netaddr base; // host bits are zero; port 0
    uint8_t bits;        // 0..32 or 0..128
};

// "192.0.2.1", "2001:db8::1"; no port, no zone.
bool netaddr_parse_ip(struct slice s, struct netaddr *out);

// "192.0.2.1:25", "[2001:db8::1]:25", "*:25" is [::]:25.
bool netaddr_parse_endpoint(struct slice s, struct netaddr *out);

// "192.0.2.0/24", "2001:db8::/32", an address alone is itself; false when host bits are set.
bool netaddr_parse_net(struct slice s, struct netaddr_net *out);

bool netaddr_in_net(const struct netaddr *a, const struct netaddr_net *net);
bool netaddr_same_ip(const struct netaddr *a, const struct netaddr *b);
bool netaddr_is_loopback(const struct netaddr *a);

// "192.0.2.1", "2001:db8::1".
bool netaddr_add_ip(struct buf *b, const struct netaddr *a);
// "192.0.2.1:25", "[2001:db8::1]:25".
bool netaddr_add_endpoint(struct buf *b, const struct netaddr *a);
// As SMTP writes it: "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 4.1.3).
bool netaddr_add_literal(struct buf *b, const struct netaddr *a);
