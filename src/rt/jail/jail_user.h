// jail_user: giving up root.
#pragma once

#include "rt/jail/jail_roles.h"

// As root: becomes spec->user with its group and no other, or, where none is given, stays root without capabilities
// but those to write in other users' directories where the role needs it. A role that reads all keeps the capability
// for that in either case, and it alone. Not as root: nothing. No return is possible,
// which is verified.
MUST_CHECK bool jail_user(const struct jail *spec, const struct jail_role *role, struct err *e);
