// smtpd_lists: whether the lists in DNS that policy asks are in their senses (core/gate/dnsbl.h): looked at when the process
// begins, and every two minutes, since one that begins to list everybody turns all strangers away until it is seen. One
// that isn't is left out until it is again; that is said once.
#pragma once

#include "core/gate/dnsbl.h"
#include "rt/metric.h"
#include "svc/smtpd/smtpd_oracle.h"

struct smtpd_lists {
    const struct config *config;
    struct smtpd_oracle *dns;
    struct metric *metrics;
    struct oracle oracle;
    enum dnsbl_state *states; // of each of the configuration's lists; NULL: there are none
};

void smtpd_lists_init(struct smtpd_lists *l, const struct config *c, struct smtpd_oracle *dns, struct metric *metrics);
void smtpd_lists_done(struct smtpd_lists *l);

// Spawns the fiber that looks; nothing where there are no lists.
void smtpd_lists_begin(struct smtpd_lists *l, struct fiber_group *group);
