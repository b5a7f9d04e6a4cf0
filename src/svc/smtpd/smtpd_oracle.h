// smtpd_oracle: DNS for evaluators (mail/oracle/oracle.h), from the resolver over a link.
//
// A resolver that reaches nobody costs each session little: when nothing was heard of DNS for a while, answers are
// waited for more briefly, and after a bad one the process looks by itself whether DNS is there at all, by asking for
// a name that nobody can have kept. Until it is back everything is answered TIMEOUT at once. A stranger whose own
// servers are slow can't bring that about: others' answers, or that one, speak against it.
#pragma once

#include "mail/oracle/oracle.h"
#include "rt/world.h"
#include "svc/peer.h"

struct smtpd_oracle {
    struct world *world;
    struct slice hostname;
    struct peer resolver;
    bool away, looking;
    bool ever;
    struct mono heard; // a good answer, the latest; where there was ever one
};

void smtpd_oracle_init(struct smtpd_oracle *o, struct world *w, struct slice hostname, const struct peer *like);

// Looks whether DNS is there, so that the first session needn't find out. To be called when the resolver has a link.
void smtpd_oracle_begin(struct smtpd_oracle *o);

// As struct oracle's ask, until the deadline.
FIBER_FN void smtpd_oracle_ask(struct smtpd_oracle *o, const struct oracle_question *questions, size_t n,
                               struct mono deadline, struct arena *arena, struct oracle_answer *answers);
