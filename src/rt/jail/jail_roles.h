// jail_roles: the one table of what each role may do.
#pragma once

#include "rt/jail/jail.h"

#include <stdbool.h>

// Groups of system calls beyond those that every process needs (jail_calls.c lists them).
enum jail_calls {
    JAIL_ACCEPT = 1 << 0,      // take connections from listening sockets it was given
    JAIL_CONNECT_TCP = 1 << 1, // make TCP sockets and connect them
    JAIL_UDP = 1 << 2,         // make UDP sockets, bind them
    JAIL_READ_FILES = 1 << 3,
    JAIL_WRITE_FILES = 1 << 4,
    JAIL_CONNECT_UNIX = 1 << 5, // make Unix sockets and connect them by path
};

struct jail_role {
    unsigned calls;      // enum jail_calls
    unsigned access;     // enum jail_access: the most that a path of its may have
    bool owns_elsewhere; // as root without a user to become: keeps the capabilities to write other users' directories
    bool reads_all;      // started as root, with or without a user to become: keeps the capability to read other users' files
    bool filtered;       // false: no new privileges and no more
};

const struct jail_role *jail_role(enum role role);
