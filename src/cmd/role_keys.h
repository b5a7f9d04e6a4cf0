// role_keys: the keys processes as a role.
#pragma once

#include "cmd/role_main.h"

extern const struct role_kind role_keys;

// Directories of the files that keys reads, which may be replaced there by rename.
struct jail_path;
size_t role_keys_paths(const struct config *c, struct arena *arena, struct jail_path *to, size_t max);
