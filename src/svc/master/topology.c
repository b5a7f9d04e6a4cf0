// topology: the house's processes and links as tables.
#include "svc/master/topology.h"

const enum role topology_order[TOPOLOGY_ROLES] = {ROLE_QUEUE, ROLE_LOOKUP, ROLE_RESOLVER, ROLE_DELIVER,
                                                  ROLE_RELAY, ROLE_INJECT, ROLE_CONTROL,  ROLE_SMTPD};

static const struct {
    enum role a, b;
} links[] = {
    {ROLE_SMTPD, ROLE_QUEUE},    {ROLE_SMTPD, ROLE_LOOKUP},     {ROLE_QUEUE, ROLE_RELAY},
    {ROLE_QUEUE, ROLE_DELIVER},  {ROLE_QUEUE, ROLE_INJECT},     {ROLE_INJECT, ROLE_LOOKUP},
    {ROLE_RELAY, ROLE_RESOLVER}, {ROLE_CONTROL, ROLE_MASTER},   {ROLE_CONTROL, ROLE_SMTPD},
    {ROLE_CONTROL, ROLE_QUEUE},  {ROLE_CONTROL, ROLE_RELAY},    {ROLE_CONTROL, ROLE_DELIVER},
    {ROLE_CONTROL, ROLE_INJECT}, {ROLE_CONTROL, ROLE_RESOLVER}, {ROLE_CONTROL, ROLE_LOOKUP},
};

uint32_t topology_instances(const struct config *c, enum role role) {
    switch (role) {
    case ROLE_SMTPD:
        return c->smtpd_workers;
    case ROLE_RELAY:
        return c->relay_workers;
    case ROLE_MASTER:
    case ROLE_COUNT:
        return 0;
    default:
        return 1;
    }
}

bool topology_linked(enum role a, enum role b) {
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if ((links[i].a == a && links[i].b == b) || (links[i].a == b && links[i].b == a))
            return true;
    return false;
}

int64_t topology_restart_wait_ms(uint32_t deaths) {
    if (deaths <= 1)
        return 0;
    if (deaths >= 9)
        return TOPOLOGY_RESTART_WAIT_MAX_MS;
    int64_t ms = (int64_t)100 << (deaths - 2);
    return ms < TOPOLOGY_RESTART_WAIT_MAX_MS ? ms : TOPOLOGY_RESTART_WAIT_MAX_MS;
}
