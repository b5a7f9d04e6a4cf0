// route: where a domain's mail goes, by the configuration alone. DNS is asked later, by who relays.
#pragma once

#include "core/config/config.h"

enum route_kind {
    ROUTE_DELIVER, // into a Maildir here
    ROUTE_MX,      // to the MX hosts of `host` (RFC 5321 5.1)
    ROUTE_HOST,    // to `host`, a name or an address; MX is not asked
    ROUTE_HOLD,    // kept until released
    ROUTE_BAD,     // neither a domain nor an address literal: permanent, 5.1.2
};

struct route {
    enum route_kind kind;
    const struct config_domain *domain; // DELIVER; otherwise NULL, or the domain of `deliver relay`
    struct slice host;                  // MX, HOLD: the domain as given; HOST: without brackets; a view
    uint16_t port;                      // MX, HOST
    const struct config_place *place;   // of the `domain` or `route` that decided; line 0: built in
};

// `domain` as in an address: a name in any case (a last dot is allowed), or a literal "[192.0.2.1]", "[IPv6:...]". Our
// own domains that deliver here come first; then routes: the exact name, the longest .suffix, `*`. A literal knows only
// `*`, and where that is `via mx` goes to its address. The result lives as long as `c` and `domain`.
struct route route_for(const struct config *c, struct slice domain);

// The same as if no route were `hold`: where held mail goes once it is released. Never HOLD.
struct route route_released(const struct config *c, struct slice domain);

// A stable name of the queue that a route's mail waits in: "deliver:example.org", "relay:example.com",
// "relay:example.com:2526", "relay:[192.0.2.25]:25", "relay:[hub.example]:25", "hold:example.com", "bad:...". Lower
// case. p is NULL when the arena is full.
struct slice route_destination(struct arena *arena, const struct route *route);

// The domain of ours that this is (any case, a last dot allowed), or NULL.
const struct config_domain *route_is_local(const struct config *c, struct slice domain);
