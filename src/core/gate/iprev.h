// iprev: a client's name in DNS, and whether that name leads back to the address (RFC 8601 2.7.3).
#pragma once

#include "mail/header/auth_results.h"

enum { IPREV_NAMES = 10 }; // PTR records looked at

struct iprev {
    enum auth_results_iprev result;
    struct slice name; // that is confirmed, else the first one; empty where there is none; in the arena
};

void iprev_check(const struct netaddr *ip, struct oracle *o, struct arena *arena, struct iprev *out);

// Whether `name` has the address. `*temporary`: DNS didn't say.
bool iprev_leads_to(struct slice name, const struct netaddr *ip, struct oracle *o, struct arena *arena,
                    bool *temporary);

// "1.2.0.192", "1.0.0.0.(...).8.b.d.0.1.0.0.2": the address backwards, as DNS has it below a zone (RFC 1035 3.5,
// RFC 3596 2.5).
bool iprev_add_reversed(struct buf *b, const struct netaddr *ip);
