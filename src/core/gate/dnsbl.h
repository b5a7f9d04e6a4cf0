// dnsbl: lists in DNS of those whom somebody warns of, or vouches for (RFC 5782): asked all at once, answers filtered
// by their codes, weighed. And whether a list is in its senses: one that lists nobody or everybody must not decide
// anything.
#pragma once

#include "core/config/config_gate.h"
#include "mail/oracle/oracle.h"

enum { DNSBL_WORDS = 160 }; // bytes of a list's own words

// Of a list in the configuration, by its index there. Whoever owns a gate keeps these, and tests again now and then.
enum dnsbl_state {
    DNSBL_UNTESTED, // not asked
    DNSBL_GOOD,
    DNSBL_DEAD,      // its test entry isn't listed, or nobody answers: not asked
    DNSBL_LISTS_ALL, // what can't be listed is: not asked
};

struct dnsbl_test {
    enum dnsbl_state state;
    struct slice words; // not GOOD: why, for people; in the arena
};

// RFC 5782 5: 127.0.0.2 (and ::ffff:7f00:2 where IPv4 isn't kept) is on every list of addresses, 127.0.0.1 on none;
// TEST is on every list of names, INVALID on none.
void dnsbl_self_test(const struct config_list *list, struct oracle *o, struct arena *arena, struct dnsbl_test *out);

const char *dnsbl_state_name(enum dnsbl_state s); // "good", "lists everybody"

struct dnsbl_listed {
    const struct config_list *list;
    struct netaddr code; // 127.0.0.2
    struct slice name;   // that was asked
};

struct dnsbl {
    int64_t score; // weights of deny lists less those of allow lists
    bool allowed;
    struct dnsbl_listed *listed; // in the arena
    size_t listed_n;
};

struct dnsbl_query {
    const struct config_list *lists;
    size_t n;
    const enum dnsbl_state *states; // one for each; NULL: all are good
    enum config_list_of of;         // only these are asked
    struct netaddr ip;              // CLIENT
    struct slice name;              // SENDER, HELO: a domain; nothing is asked about a literal or an empty one
};

void dnsbl_check(const struct dnsbl_query *q, struct oracle *o, struct arena *arena, struct dnsbl *out);

// "bl.example.org (127.0.0.2: open relay), ...": asks the deny lists that have it for their words. Printable, in
// `arena`; empty where there is none.
struct slice dnsbl_reasons(const struct dnsbl *d, struct oracle *o, struct arena *arena);
