// relay_attempt: one piece of work from its frame to its outcome.
#pragma once

#include "rt/metric.h"
#include "rt/net.h"
#include "svc/relay/relay_hosts.h"
#include "svc/relay/relay_pool.h"

// What the attempts of a service share.
struct relay_shared {
    struct fiber_group group;
    struct net *net;
    const struct config *config;
    struct peer resolver;
    struct relay_pool pool;
    struct seed random;
    struct metric metric;
    size_t attempts; // under way
    FIBER_FN bool (*start_tls)(void *arg, struct transport *inner, struct slice host, struct mono deadline,
                               struct transport **out, struct err *e); // NULL: never
    // The same with a certificate that must be the host's; for mail with REQUIRETLS.
    FIBER_FN bool (*start_tls_verified)(void *arg, struct transport *inner, struct slice host, struct mono deadline,
                                        struct transport **out, struct err *e);
    void *tls_arg;
    void (*ended)(struct relay_shared *r); // after each attempt
};

// Begins an attempt for a WORK frame, or answers at once that there are too many. A malformed one breaks the link.
void relay_attempt_begin(struct relay_shared *r, struct peer_link *queue, const struct link_frame *frame, size_t most);
