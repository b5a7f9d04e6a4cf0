// oracle_live: an oracle for the command line: DNS as it is now, asked as the server's resolver would ask it. The
// caller waits; not for fibers.
#pragma once

#include "core/config/config.h"
#include "mail/oracle/oracle.h"

struct oracle_live;

// `c` says whom to ask and outlives it; NULL: the system's resolvers, without DNSSEC. `ms`: how long one call of `ask`
// may take. Nothing is opened before the first question.
struct oracle_live *oracle_live_new(const struct config *c, int64_t ms);
struct oracle *oracle_live_oracle(struct oracle_live *l);

// All questions until the next call may take `ms` together.
void oracle_live_hurry(struct oracle_live *l, int64_t ms);
void oracle_live_free(struct oracle_live *l); // takes NULL
