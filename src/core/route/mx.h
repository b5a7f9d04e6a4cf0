// mx: which hosts take mail for a domain and in which order (RFC 5321 5.1, RFC 7505): DNS answers in, a list out.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/seed.h"
#include "core/message/message.h"

enum {
    MX_HOSTS_MAX = 16,    // hosts tried for one message; a domain with more of them has named enough
    MX_ADDRESSES_MAX = 8, // addresses of one host
};

struct mx_host {
    struct slice name;   // lower case, without final dot
    uint16_t preference; // hosts of one preference lie side by side
};

struct mx_list {
    struct mx_host *hosts; // in the order to try them, MX_HOSTS_MAX at most
    size_t n;              // at least 1
    bool implicit;         // no MX: the domain itself (RFC 5321 5.1)
};

// Orders the hosts of `domain` by `answer`, its MX records: by preference, at random among equals; names that occur
// twice count once, with the better preference. Where `self` (our host name) is among them, it and every host whose
// preference is not better is cut (RFC 5321 5.1: no loops). Names live in `arena`.
//
// Permanent errors: no such domain (550 5.1.2), a null MX (556 5.1.10, RFC 7505), only ourselves left (554 5.4.6).
// Temporary: no answer, or one that DNSSEC found forged (451 4.4.3).
MUST_CHECK bool mx_order(struct slice domain, const struct message_resolve_reply *answer, struct slice self,
                         struct seed *random, struct arena *arena, struct mx_list *out, struct err *e);

// Cuts what is not better than hosts[at]: it turned out to be ourselves by its address. Permanent 554 5.4.6 when
// nothing is left.
MUST_CHECK bool mx_cut(struct mx_list *list, size_t at, struct slice domain, struct err *e);

// The addresses of one host: IPv6 and IPv4 in turns, IPv6 first, each kind at random (RFC 5321 5.1), none twice, with
// `port`. Gives how many were written to `out`.
size_t mx_addresses(const struct message_resolve_reply *a, const struct message_resolve_reply *aaaa, uint16_t port,
                    struct seed *random, struct netaddr out[MX_ADDRESSES_MAX]);

// What it means that a host has no address: temporary while an answer is missing, else permanent 5.4.4 for an MX host,
// and for an implicit one 5.1.2 (no such domain). `e` is filled. Always false.
bool mx_no_address(struct slice host, bool implicit, const struct message_resolve_reply *a,
                   const struct message_resolve_reply *aaaa, struct err *e);
