// auth_turns: whose turn it is with something that only few may use at once, such as the processor for hashing. Turns
// go round by the clients' networks (/24 of IPv4, /48 of IPv6), first come first served within one: ten thousand
// guesses from one network cost another's users one turn.
#pragma once

#include "base/list.h"
#include "rt/fiber/fiber.h"
#include "wire/netaddr.h"

enum {
    AUTH_TURNS_NETWORK = 100, // that wait, by network; past it: a temporary error
    AUTH_TURNS_ALL = 2000,     // that wait
};

struct auth_turns {
    size_t at_once; // that may have their turn; to be set
    size_t busy;    // that have it
    size_t waiting;
    struct list networks; // with somebody waiting, the next one first
};

void auth_turns_init(struct auth_turns *t, size_t at_once);

// Waits for a turn, which is to be given back.
FIBER_FN MUST_CHECK bool auth_turns_take(struct auth_turns *t, const struct netaddr *client, struct mono deadline,
                                         struct err *e);
void auth_turns_give(struct auth_turns *t);
