// sim_net: a network in memory: latency, small segments, slow and broken connections, hosts that are down; driven by a
// seed over the loop's fake clock.
#pragma once

#include "base/seed.h"
#include "rt/fiber/loop.h"
#include "rt/net.h"

struct sim_net;

struct sim_net_faults {
    unsigned refuse_per_mille;  // a connection is refused
    unsigned silent_per_mille;  // a connection is never answered
    unsigned cut_per_mille;     // a connection breaks after some bytes
    unsigned slow_per_mille;    // a connection trickles
    int64_t latency_ms_max;     // each way
};

struct sim_net *sim_net_new(struct loop *loop, struct seed *seed);
void sim_net_free(struct sim_net *n); // every connection and listener is closed
void sim_net_set_faults(struct sim_net *n, const struct sim_net_faults *faults);

// A process's access to the network from address `ip`. When it is killed, all it has breaks.
struct net *sim_net_port(struct sim_net *n, const struct netaddr *ip);
struct listener *sim_net_listen(struct net *port, uint16_t number); // port's process accepts at ip:number
void sim_net_kill(struct net *port);
void sim_net_port_free(struct net *port); // everything of it is closed

uint64_t sim_net_cuts(const struct sim_net *n); // connections that a fault broke, so far
