// role_report: the report service behind the calls of roles.
#pragma once

#include "cmd/role_main.h"

extern const struct role_kind role_report;
