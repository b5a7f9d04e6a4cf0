// report_oracle: DNS for who decides where reports may go, from the resolver over a link. Nobody waits for a report, so
// it asks one question after another.
#pragma once

#include "mail/oracle.h"
#include "svc/peer.h"

struct report_oracle {
    struct oracle oracle;
    struct peer *resolver;
    struct loop *loop;
};

void report_oracle_init(struct report_oracle *o, struct peer *resolver, struct loop *loop);
