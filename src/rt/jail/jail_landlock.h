// jail_landlock: which paths may be reached, and whether TCP may, by the kernel's Landlock. By raw system calls with
// our own constants, since headers and kernel of a system are seldom of one age; what the kernel doesn't know yet is
// left out.
#pragma once

#include "rt/jail/jail_roles.h"

// 0 where the kernel has none, or it is turned off, or it is of ABI 1, which lets nobody rename a file into another
// directory, as delivery to a Maildir does.
int jail_landlock_abi(void);

// Needs no_new_privs. With ABI 0 nothing happens.
MUST_CHECK bool jail_landlock(const struct jail *spec, const struct jail_role *role, int abi, size_t *missing,
                              struct err *e);
