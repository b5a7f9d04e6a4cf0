// dkim_dns: what DNS has published of our keys, asked as the server's resolver would ask it.
#pragma once

#include "cmd/dkim_keys.h"

enum dkim_dns_state {
    DKIM_DNS_GOOD,    // it is our key, for our mail
    DKIM_DNS_MISSING, // nothing is there; maybe not yet
    DKIM_DNS_UNKNOWN, // no answer: perhaps later
    DKIM_DNS_WRONG,   // something else is there
};

struct dkim_dns {
    enum dkim_dns_state state;
    struct slice text;   // what that means, a sentence for people; in the arena of the keys
    struct slice record; // what was found; empty: nothing
};

// Asks for all entries at once; `out` has k->n places. An entry that isn't readable is UNKNOWN.
void dkim_dns_ask(struct dkim_keys *k, struct dkim_dns *out);
