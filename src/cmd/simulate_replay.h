// simulate_replay: sessions that there were, against a configuration that isn't in use yet: only what changes.
#pragma once

#include "cmd/args.h"
#include "cmd/simulate.h"

// Reads a->replay. `facts` are given for all sessions. Gives an exit code.
int simulate_replay(const struct args *a, const struct config *c, const struct simulate_fact *facts, size_t n);
