// role_connect: the process that opens connections to filters, as a role.
#pragma once

#include "cmd/role_main.h"

extern const struct role_kind role_connect;
