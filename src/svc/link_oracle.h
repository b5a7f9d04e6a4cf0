// link_oracle: asks the resolver over its link what evaluators want of DNS (mail/oracle/oracle.h).
#pragma once

#include "mail/oracle/oracle.h"
#include "svc/peer.h"

// As struct oracle's ask, until the deadline. Where there is no link, or it breaks, the next one is waited for until
// `link_deadline`. False when DNS gave no answer of its own to any question.
FIBER_FN bool link_oracle_ask(struct peer *resolver, const struct oracle_question *questions, size_t n,
                              struct mono link_deadline, struct mono deadline, struct arena *arena,
                              struct oracle_answer *answers);
