// topology: which processes there are and which of them talk to each other. One table; nothing else is wired.
#pragma once

#include "core/config/config.h"
#include "wire/link_frame.h"

// Roles in the order in which they are started: whoever is asked by others first.
enum { TOPOLOGY_ROLES = ROLE_COUNT - 1 };
extern const enum role topology_order[TOPOLOGY_ROLES];

// How many processes of the role the configuration asks for; 0 for master itself.
uint32_t topology_instances(const struct config *c, enum role role);

// Whether every process of role `a` has a link to every one of role `b`. Symmetric.
bool topology_linked(enum role a, enum role b);

// Milliseconds to wait before a process is started again that has died `deaths` times in a row (1 for the first), each
// time within TOPOLOGY_QUICK_DEATH_MS of its start: nothing the first time, then growing to ten seconds.
int64_t topology_restart_wait_ms(uint32_t deaths);
enum { TOPOLOGY_QUICK_DEATH_MS = 10 * 1000, TOPOLOGY_RESTART_WAIT_MAX_MS = 10 * 1000 };
