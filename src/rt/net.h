// net: connecting and accepting, over the kernel or in the simulator.
#pragma once

#include "rt/transport.h"
#include "wire/netaddr.h"

struct net {
    const struct net_ops *ops;
};

struct listener {
    const struct listener_ops *ops;
};

struct net_ops {
    FIBER_FN bool (*connect)(struct net *net, const struct netaddr *to, struct mono deadline, struct transport **out,
                             struct netaddr *local, struct err *e);
};

struct listener_ops {
    // Waits for a connection. Errors other than cancellation and time-out are temporary: wait a little, go on.
    FIBER_FN bool (*accept)(struct listener *l, struct mono deadline, struct transport **out, struct netaddr *peer,
                            struct err *e);
    void (*close)(struct listener *l);
};

// `local` may be NULL.
static inline FIBER_FN MUST_CHECK bool net_connect(struct net *net, const struct netaddr *to, struct mono deadline,
                                                   struct transport **out, struct netaddr *local, struct err *e) {
    return net->ops->connect(net, to, deadline, out, local, e);
}

static inline FIBER_FN MUST_CHECK bool listener_accept(struct listener *l, struct mono deadline,
                                                       struct transport **out, struct netaddr *peer, struct err *e) {
    return l->ops->accept(l, deadline, out, peer, e);
}

static inline void listener_close(struct listener *l) { l->ops->close(l); }
