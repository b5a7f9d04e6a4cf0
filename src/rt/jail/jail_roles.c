// jail_roles: who may do what. Read a row as: beyond computing, and talking over the descriptors it was given, ...
#include "rt/jail/jail_roles.h"

static const struct jail_role roles[ROLE_COUNT] = {
    // ... it does whatever root may, but gains nothing by executing programs: it parses no network byte
    [ROLE_MASTER] = {.filtered = false},
    // ... it accepts. Private keys are elsewhere
    [ROLE_SMTPD] = {.filtered = true, .calls = JAIL_ACCEPT},
    // ... it works in its state directory
    [ROLE_QUEUE] = {.filtered = true,
                    .calls = JAIL_READ_FILES | JAIL_WRITE_FILES,
                    .access = JAIL_READ | JAIL_WRITE,
                    .owns_elsewhere = true},
    // ... it connects
    [ROLE_RELAY] = {.filtered = true, .calls = JAIL_CONNECT_TCP},
    // ... it works below the mail roots
    [ROLE_DELIVER] = {.filtered = true,
                      .calls = JAIL_READ_FILES | JAIL_WRITE_FILES,
                      .access = JAIL_READ | JAIL_WRITE,
                      .owns_elsewhere = true},
    // ... nothing
    [ROLE_INJECT] = {.filtered = true},
    // ... it asks name servers over UDP and TCP, and reads trust anchors and the system's list of resolvers
    [ROLE_RESOLVER] = {.filtered = true, .calls = JAIL_CONNECT_TCP | JAIL_UDP | JAIL_READ_FILES, .access = JAIL_READ},
    // ... it reads the tables
    [ROLE_LOOKUP] = {.filtered = true, .calls = JAIL_READ_FILES, .access = JAIL_READ, .owns_elsewhere = true},
    // ... it accepts on the control socket and the HTTP port
    [ROLE_CONTROL] = {.filtered = true, .calls = JAIL_ACCEPT},
    // ... as smtpd
    [ROLE_SUBMISSION] = {.filtered = true, .calls = JAIL_ACCEPT},
    // ... it reads files of passwords and keys of tokens, and connects to Dovecot's socket
    [ROLE_AUTH] = {.filtered = true,
                   .calls = JAIL_READ_FILES | JAIL_CONNECT_UNIX,
                   .access = JAIL_READ,
                   .owns_elsewhere = true},
    // ... it does what PAM's modules ask for, which nobody can know; it talks to nobody but auth
    [ROLE_PAM] = {.filtered = false},
    // ... it asks by HTTPS, and resolves names for that
    [ROLE_FETCH] = {.filtered = true, .calls = JAIL_CONNECT_TCP | JAIL_UDP | JAIL_READ_FILES, .access = JAIL_READ},
    // ... it works in its directory of the state
    [ROLE_POLICY] = {.filtered = true,
                     .calls = JAIL_READ_FILES | JAIL_WRITE_FILES,
                     .access = JAIL_READ | JAIL_WRITE,
                     .owns_elsewhere = true},
    // ... it reads private keys, which may be root's alone
    [ROLE_KEYS] = {.filtered = true, .calls = JAIL_READ_FILES, .access = JAIL_READ, .reads_all = true},
    // ... it works in its directory of the state
    [ROLE_HISTORY] = {.filtered = true,
                      .calls = JAIL_READ_FILES | JAIL_WRITE_FILES,
                      .access = JAIL_READ | JAIL_WRITE,
                      .owns_elsewhere = true},
    // ... likewise
    [ROLE_REPORT] = {.filtered = true,
                     .calls = JAIL_READ_FILES | JAIL_WRITE_FILES,
                     .access = JAIL_READ | JAIL_WRITE,
                     .owns_elsewhere = true},
    // ... it connects to filters, for those who may not
    [ROLE_CONNECT] = {.filtered = true, .calls = JAIL_CONNECT_TCP | JAIL_CONNECT_UNIX},
};

const struct jail_role *jail_role(enum role role) { return &roles[role]; }
