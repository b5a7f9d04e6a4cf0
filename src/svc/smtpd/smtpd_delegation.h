// smtpd_delegation: asking servers of Postfix's policy delegation (wire/delegation.h). Connections are kept for the
// next question of any session. One that was closed meanwhile is no failure: the question is asked again over a fresh
// one.
#pragma once

#include "core/config/config.h"
#include "rt/transport.h"

enum { SMTPD_DELEGATION_KEPT = 8 }; // idle connections to one server

struct smtpd_delegation;

// `open` as smtpd_filter_outside.open.
struct smtpd_delegation *
smtpd_delegation_new(const struct config *c,
                     FIBER_FN bool (*open)(void *arg, size_t index, struct transport **out, struct err *e), void *arg);
void smtpd_delegation_free(struct smtpd_delegation *d); // takes NULL; nobody asks

// `request`: lines of "name=value" and the empty one. The answer's words behind "action=" are in `arena`. `f` is
// one of the configuration's.
FIBER_FN MUST_CHECK bool smtpd_delegation_ask(struct smtpd_delegation *d, const struct config_filter *f,
                                              struct slice request, struct arena *arena, struct slice *answer,
                                              struct err *e);
