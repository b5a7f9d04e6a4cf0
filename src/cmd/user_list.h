// user_list: user list: who can log in, by which secrets, and when each was last used.
#pragma once

#include "cmd/args.h"

int user_list(const struct args *a); // an exit code
