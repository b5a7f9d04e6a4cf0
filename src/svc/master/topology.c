// topology: the house's processes and links as tables.
#include "svc/master/topology.h"

const enum role topology_order[TOPOLOGY_ROLES] = {
    ROLE_QUEUE,  ROLE_LOOKUP,  ROLE_RESOLVER, ROLE_KEYS,  ROLE_POLICY,    ROLE_FETCH,
    ROLE_PAM,    ROLE_AUTH,    ROLE_DELIVER,  ROLE_RELAY, ROLE_INJECT,    ROLE_HISTORY,
    ROLE_REPORT, ROLE_CONNECT, ROLE_CONTROL,  ROLE_SMTPD, ROLE_SUBMISSION};

static const struct {
    enum role a, b;
} links[] = {
    {ROLE_SMTPD, ROLE_QUEUE},        {ROLE_SMTPD, ROLE_LOOKUP},
    {ROLE_SMTPD, ROLE_KEYS},         {ROLE_SUBMISSION, ROLE_QUEUE},
    {ROLE_SUBMISSION, ROLE_LOOKUP},  {ROLE_SUBMISSION, ROLE_KEYS},
    {ROLE_SUBMISSION, ROLE_AUTH},    {ROLE_SUBMISSION, ROLE_POLICY},
    {ROLE_AUTH, ROLE_POLICY},        {ROLE_AUTH, ROLE_PAM},
    {ROLE_AUTH, ROLE_FETCH},         {ROLE_POLICY, ROLE_INJECT},
    {ROLE_QUEUE, ROLE_RELAY},        {ROLE_QUEUE, ROLE_DELIVER},
    {ROLE_QUEUE, ROLE_INJECT},       {ROLE_INJECT, ROLE_LOOKUP},
    {ROLE_RELAY, ROLE_RESOLVER},     {ROLE_CONTROL, ROLE_MASTER},
    {ROLE_CONTROL, ROLE_SMTPD},      {ROLE_CONTROL, ROLE_QUEUE},
    {ROLE_CONTROL, ROLE_RELAY},      {ROLE_CONTROL, ROLE_DELIVER},
    {ROLE_CONTROL, ROLE_INJECT},     {ROLE_CONTROL, ROLE_RESOLVER},
    {ROLE_CONTROL, ROLE_LOOKUP},     {ROLE_CONTROL, ROLE_SUBMISSION},
    {ROLE_CONTROL, ROLE_AUTH},       {ROLE_CONTROL, ROLE_PAM},
    {ROLE_CONTROL, ROLE_FETCH},      {ROLE_CONTROL, ROLE_POLICY},
    {ROLE_CONTROL, ROLE_KEYS},       {ROLE_SMTPD, ROLE_POLICY},
    {ROLE_SMTPD, ROLE_RESOLVER},     {ROLE_SMTPD, ROLE_HISTORY},
    {ROLE_SUBMISSION, ROLE_HISTORY}, {ROLE_QUEUE, ROLE_HISTORY},
    {ROLE_SMTPD, ROLE_CONNECT},      {ROLE_SUBMISSION, ROLE_CONNECT},
    {ROLE_SMTPD, ROLE_REPORT},       {ROLE_REPORT, ROLE_RESOLVER},
    {ROLE_REPORT, ROLE_INJECT},      {ROLE_REPORT, ROLE_KEYS},
    {ROLE_CONTROL, ROLE_HISTORY},    {ROLE_CONTROL, ROLE_REPORT},
    {ROLE_CONTROL, ROLE_CONNECT},    {ROLE_SUBMISSION, ROLE_RESOLVER},
};

uint32_t topology_instances(const struct config *c, enum role role) {
    bool submission = config_listens(c, CONFIG_LISTEN_SUBMISSION);
    switch (role) {
    case ROLE_SMTPD:
        return c->smtpd_workers;
    case ROLE_RELAY:
        return c->relay_workers;
    case ROLE_SUBMISSION:
        return submission ? c->submission_workers : 0;
    case ROLE_AUTH:
        return submission ? c->auth_workers : 0;
    case ROLE_PAM:
        return submission && config_has_auth(c, CONFIG_AUTH_PAM);
    case ROLE_FETCH:
        return submission && config_has_auth(c, CONFIG_AUTH_INTROSPECT);
    case ROLE_KEYS:
        return c->certificates_n || c->dkims_n || c->gate.arc.key.n || submission || c->gate.reports.from.n
                   ? c->keys_workers
                   : 0;
    case ROLE_CONNECT:
        return c->gate.filters_n > 0;
    case ROLE_HISTORY:
        return c->gate.history.size > 0;
    case ROLE_REPORT:
        return c->gate.reports.from.n > 0;
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
