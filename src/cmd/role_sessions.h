// role_sessions: smtpd and submission as roles: the service, and the TLS that it offers with keys that lie elsewhere.
#pragma once

#include "cmd/role_main.h"

extern const struct role_kind role_sessions;
