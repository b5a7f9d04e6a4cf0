// helo: what can be seen of the name that HELO or EHLO gave, without asking anybody (RFC 5321 4.1.1.1, 4.1.2, 4.1.3).
#pragma once

#include "core/config/config.h"

struct helo {
    bool valid;     // a host name or an address literal by the grammar; a bare address is neither
    bool qualified; // a name with a dot, or a literal
    bool literal;
    struct netaddr ip; // of a literal
    bool ours;         // our host name, a domain of ours, or our own address: nobody else has these
};

// `local`: the address that the client connected to.
struct helo helo_look(const struct config *c, struct slice name, const struct netaddr *local);
