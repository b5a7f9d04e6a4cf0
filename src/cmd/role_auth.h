// role_auth: auth, and the two that work for it: pam and fetch.
#pragma once

#include "cmd/role_main.h"

extern const struct role_kind role_auth, role_pam, role_fetch;
