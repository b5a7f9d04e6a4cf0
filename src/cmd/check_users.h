// check_users: what is doubtful in the password files of a configuration.
#pragma once

#include "core/config/config.h"

// Lines for people, "FILE:LINE: warning: ...", at most some per file.
void check_users(const struct config *c, struct buf *warnings);
