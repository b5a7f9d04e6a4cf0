// role_main: what a process of the house does: takes what master hands over, makes its service, goes to jail, serves.
#pragma once

#include "core/config/config.h"
#include "rt/handover.h"
#include "rt/link.h"
#include "rt/world.h"

// The program's exit code. `name` is what master put behind --role.
int role_main(const char *name);

enum { ROLE_LISTENERS_MAX = 1000, ROLE_PEERS_MAX = 300, ROLE_CREDENTIALS_MAX = 8 };

// What came before BEGIN.
struct role_start {
    enum role role;
    uint32_t instance;
    char *path, *directory; // of the configuration
    struct buf text;
    struct config *config;
    struct role_credential {
        char *name;
        struct buf bytes;
    } credentials[ROLE_CREDENTIALS_MAX];
    size_t credentials_n;
    struct role_given {
        enum role role;    // peers
        uint32_t instance; // peers
        uint32_t index;    // listeners: in config.listens, or HANDOVER_INDEX_CONTROL
        int fd;
    } listeners[ROLE_LISTENERS_MAX], peers[ROLE_PEERS_MAX];
    size_t listeners_n, peers_n;
};

// The bytes of a credential; empty when master gave none of that name.
struct slice role_credential(const struct role_start *s, const char *name);

enum role_disk { ROLE_DISK_NONE, ROLE_DISK_STATE, ROLE_DISK_ROOT };

// How a role's service is made and driven: one row of the table in roles.c.
struct role_kind {
    enum role_disk disk;
    bool net;
    void *(*make)(struct world *w, const struct role_start *s, struct err *e); // NULL and `e`
    bool (*start)(void *service, struct err *e);                               // in the jail; NULL: nothing to do
    void (*attach)(void *service, struct link *link, enum role peer, uint32_t instance); // takes the link
    bool (*listen)(void *service, struct listener *l, uint32_t index, struct err *e);    // takes the listener
    FIBER_FN void (*stop)(void *service);         // gives when all has ended that should
    struct fiber_group *(*fibers)(void *service); // waited for after stop; NULL: none
    void (*free)(void *service);
};

// NULL for a role that has no service in this program.
const struct role_kind *role_kind(enum role role);

// role_paths.c: what a role may touch of the file system, from the configuration. Missing mail roots are made.
struct jail_path;
size_t role_paths(enum role role, const struct config *c, struct arena *arena, struct jail_path *to, size_t max);
