// jail_calls: which system calls a role may make, as a seccomp filter.
#pragma once

#include "rt/jail/jail_roles.h"

// From now on, for good. Needs no_new_privs.
MUST_CHECK bool jail_calls(const struct jail_role *role, struct err *e);
