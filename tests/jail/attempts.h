// attempts: things that a process may try, each of which works when nothing confines it.
#pragma once

#include "rt/jail/jail_roles.h"

#include <stddef.h>
#include <sys/types.h>

// What is made before the jail is entered, since a role would be given it or an attacker might have it.
struct ground {
    char root[64];  // a directory of this test
    char own[80];   // root/own: what a role with files is given
    char other[80]; // root/other: what it is not
    int listener;   // TCP, with one connection waiting
    int client;     // that connection's other end
    int tcp;        // unconnected sockets
    int unix_stream;
    int abstract; // listens on an abstract address
    int named;    // listens on root/socket
    int link[2];  // as between our processes
    unsigned short port;
};

enum {
    OUTCOME_KILLED = 1000, // by SIGSYS
    OUTCOME_SIGNAL = 1001, // by another signal
};

enum need {
    NEED_NOTHING = 0,
    NEED_ROOT = 1 << 0,     // works unconfined only for root
    NEED_LANDLOCK = 1 << 1, // is denied by nothing else to roles with files
    NEED_ABI_4 = 1 << 2,    // is denied by Landlock's rules for TCP
    NEED_ABI_6 = 1 << 3,    // is denied by Landlock's scopes
    NEED_STRICT = 1 << 4,   // is open to a build with AddressSanitizer
};

struct attempt {
    const char *name;
    int (*run)(const struct ground *g); // 0 or errno
    unsigned roles;                     // bits of those for whom it must work
    int outcome;                        // of the others: 0 means EPERM, EACCES or EXDEV; else an errno or OUTCOME_*
    unsigned need;
    int unconfined; // outcome without a jail; 0 works
};

extern const struct attempt attempts[];
extern const size_t attempts_n;

bool ground_make(struct ground *g);                   // once
bool ground_open(struct ground *g, const char **why); // in each child
void ground_remove(const struct ground *g);
