// proxy_protocol: the header that a proxy sends before anything else, so that we know who is behind it: versions 1 and
// 2 of HAProxy's PROXY protocol (proxy-protocol.txt).
//
//     PROXY TCP4 192.0.2.1 203.0.113.5 51234 25\r\n        version 1
//     "\r\n\r\n\0\r\nQUIT\n" 0x21 0x11 length ...          version 2: addresses as bytes, then TLVs
#pragma once

#include "wire/netaddr.h"

enum {
    PROXY_PROTOCOL_LINE_MAX = 107, // bytes of a header of version 1
    PROXY_PROTOCOL_MAX = 4096,     // bytes of a header of version 2; a longer one is refused
};

struct proxy_protocol {
    bool known;            // false: UNKNOWN, LOCAL, or a socket that is neither TCP over IPv4 nor IPv6
    struct netaddr source; // known: the client
    struct netaddr target; // known: where it connected to
    bool tls;              // version 2: the proxy says that the client came over TLS, which ended there
};

enum proxy_protocol_got { PROXY_PROTOCOL_WHOLE, PROXY_PROTOCOL_MORE, PROXY_PROTOCOL_BAD };

// A header at the start of `in`. WHOLE: `*out`, and its length in `*n`. MORE: `*n` is how many bytes are wanted in all,
// never more than the header has: what comes behind it may be for somebody else (a TLS handshake). BAD: this is none.
enum proxy_protocol_got proxy_protocol_parse(struct slice in, struct proxy_protocol *out, size_t *n);
