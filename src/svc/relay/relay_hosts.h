// relay_hosts: the addresses to try for a destination, one after the other; DNS is asked only as far as needed.
#pragma once

#include "core/config/config.h"
#include "core/route/mx.h"
#include "svc/peer.h"

struct relay_hosts_setup {
    const struct config *config;
    struct peer *resolver;
    struct seed *random;
    struct arena *arena; // of the attempt
};

// What DNS said of a host.
struct relay_hosts_found {
    struct netaddr addresses[MX_ADDRESSES_MAX];
    size_t n;
    struct err why; // where there are none
};

struct relay_hosts {
    struct relay_hosts_setup setup;
    bool secured; // the names of the hosts are not what an attacker on the way to DNS made of them (RFC 8689 2)
    bool mx;      // hosts are from MX records, or stand for them; not given by the configuration
    struct slice domain;
    uint16_t port;
    struct mx_list list;
    struct relay_hosts_found *found; // of the first `known` of the list
    size_t known;
    size_t at;         // the host after the current one
    struct slice name; // of the current one; empty for an address alone
    const struct netaddr *addresses;
    size_t n, i;
    struct netaddr literal;
    bool failed;    // `why` holds something
    bool answered;  // DNS said something final, or a host was found: the destination as a whole is not to blame
    struct err why; // the failure to tell when nothing works: the latest temporary one, else the latest
};

struct relay_host {
    struct slice name; // empty for an address alone
    struct netaddr at;
};

// Finds out which hosts there are. False: cancelled, or `e` says why there are none.
FIBER_FN MUST_CHECK bool relay_hosts_start(struct relay_hosts *h, const struct relay_hosts_setup *setup, bool mx,
                                           struct slice host, uint16_t port, struct err *e);

// The next address. False when there is none any more (h->why, when h->failed), or when cancelled (e->kind).
FIBER_FN bool relay_hosts_next(struct relay_hosts *h, struct relay_host *out, struct err *e);

// Notes why an address did not work.
void relay_hosts_failed(struct relay_hosts *h, const struct err *e);

// The current host is ourselves: neither it nor any that is not better is tried (RFC 5321 5.1).
void relay_hosts_is_self(struct relay_hosts *h);
