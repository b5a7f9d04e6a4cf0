// role_policy: policy as a role: the service, and its store below the state directory.
#pragma once

#include "cmd/role_main.h"

extern const struct role_kind role_policy;
