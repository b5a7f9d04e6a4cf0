// smtpd_filter_open: a connection to a filter, which the process `connect` opens for us (svc/connect/connect.h).
#pragma once

#include "core/config/config.h"
#include "svc/peer.h"

FIBER_FN MUST_CHECK bool smtpd_filter_open(struct peer *connect, struct loop *loop, const struct config_filter *f,
                                           struct transport **out, struct err *e);
