// client_name: what a client is remembered by. Its address, of which an IPv6 /64 is one; its network, a /24 or an IPv6
// /48, which may be many people's.
#pragma once

#include "wire/netaddr.h"

enum { CLIENT_NAME = 64 }; // bytes of such a text at most

// "192.0.2.1", "2001:db8:0:1::/64"; "192.0.2.0/24", "2001:db8::/48". Empty for a client that has no address. No NUL.
struct slice client_name_address(const struct netaddr *client, char to[CLIENT_NAME]);
struct slice client_name_network(const struct netaddr *client, char to[CLIENT_NAME]);

// The client's network of so many bits; `bits` is at most what its family has. As netaddr_parse_net would take it.
struct slice client_name_net(const struct netaddr *client, uint8_t bits, char to[CLIENT_NAME]);
