// people: those outside of the houses: clients that send mail, and a foreign server that takes it as such servers do.
#pragma once

#include "house.h"
#include "ledger.h"

// A client: connects, sends a few messages, asks again when it got no clear answer, and notes what was acknowledged.
struct person {
    struct loop *loop;
    struct seed *seed;
    struct net *net;
    struct netaddr server;
    struct ledger *ledger;
    struct house *house; // whose disk must have what it acknowledges
    uint64_t run;        // the seed, for tokens
    int64_t begin_ms;    // fake time at which it begins
    unsigned messages;
};

FIBER_FN void person_run(void *person);

// A foreign server on its own port: takes mail for sink.example; some recipients it refuses for good (refused@), some
// for now (later@: the first two times); now and then it is slow, hangs up, or takes a message and can't say so.
struct stranger {
    struct loop *loop;
    struct seed *seed;
    struct listener *listener;
    struct ledger *ledger;
    struct fiber_group *group;
    unsigned trouble_per_mille;
    int64_t slow_ms; // up to so long before each answer
    unsigned later; // how often later@ was refused so far
};

FIBER_FN void stranger_run(void *stranger);
