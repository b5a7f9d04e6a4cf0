// role_paths: the paths of each role's jail.
#include "cmd/role_main.h"

#include "cmd/role_keys.h"
#include "rt/disk/file.h"
#include "rt/jail/jail.h"

#include <errno.h>

struct list_of_paths {
    struct arena *arena;
    struct jail_path *to;
    size_t n, max;
};

static void add(struct list_of_paths *l, struct slice path, unsigned access) {
    struct slice kept = arena_dup(l->arena, path);
    for (size_t i = 0; i < l->n; i++)
        if (slice_eq(slice_str(l->to[i].path), path))
            return;
    if (kept.p && path.n && l->n < l->max)
        l->to[l->n++] = (struct jail_path){.path = kept.p, .access = access};
}

// "/var/mail/{domain}/{local}" lies below "/var/mail", whatever the address.
static struct slice fixed_part(struct slice pattern) {
    size_t brace = slice_find(pattern, '{');
    if (brace == pattern.n)
        return pattern;
    struct slice before = slice_upto(pattern, brace);
    size_t slash = slice_rfind(before, '/');
    return slash == before.n || slash == 0 ? SLICE("/") : slice_upto(before, slash);
}

static void add_mail_roots(struct list_of_paths *l, const struct config *c) {
    const char *user = c->user.n ? arena_dup(l->arena, c->user).p : NULL;
    for (size_t i = 0; i < c->domains_n; i++) {
        struct slice root = fixed_part(c->domains[i].maildir);
        struct err e;
        if (!root.n)
            continue;
        const char *path = arena_dup(l->arena, root).p;
        if (path && !file_readable(path, &e) && e.sys == ENOENT)
            (void)!file_make_dir(path, user, &e); // a failure shows itself at the first delivery
        add(l, root, JAIL_READ | JAIL_WRITE);
    }
}

static void add_tables(struct list_of_paths *l, const struct config *c) {
    for (size_t i = 0; i < c->tables_n; i++)
        add(l, c->tables[i].path, JAIL_READ);
}

// The directories: a file that is renamed into its place is another one, which a grant for the old one doesn't cover.
static void add_directory_of(struct list_of_paths *l, struct slice path) {
    size_t slash = slice_rfind(path, '/');
    if (slash < path.n)
        add(l, slash ? slice_upto(path, slash) : SLICE("/"), JAIL_READ);
}

// Dovecot's socket needs none: connecting is no access to a file for Landlock.
static void add_auth_files(struct list_of_paths *l, const struct config *c) {
    for (size_t i = 0; i < c->auths_n; i++)
        if (c->auths[i].kind != CONFIG_AUTH_DOVECOT)
            add_directory_of(l, c->auths[i].path);
}

// What the C library wants to find a host, and OpenSSL to believe it.
static void add_fetch_files(struct list_of_paths *l, const struct config *c) {
    static const char *const files[] = {
        "/etc/resolv.conf", "/etc/hosts",     "/etc/nsswitch.conf",         "/etc/host.conf",      "/etc/gai.conf",
        "/etc/services",    "/etc/ssl/certs", "/usr/share/ca-certificates", "/etc/ssl/openssl.cnf"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        add(l, slice_str(files[i]), JAIL_READ);
    add_directory_of(l, c->tls_ca);
}

static void add_resolver_files(struct list_of_paths *l, const struct config *c) {
    add(l, c->trust_anchors, JAIL_READ);
    add(l, c->root_hints, JAIL_READ);
    add(l, SLICE("/etc/resolv.conf"), JAIL_READ);
    add(l, SLICE("/etc/hosts"), JAIL_READ);
    add(l, SLICE("/usr/share/dns"), JAIL_READ);
}

// Made here, since the jail covers what is there when it closes.
static void add_part_of_state(struct list_of_paths *l, const struct config *c, const char *name) {
    const char *user = c->user.n ? arena_dup(l->arena, c->user).p : NULL;
    struct slice path = arena_printf(l->arena, "%.*s/%s", SLICE_ARG(c->state), name);
    struct err e;
    if (path.p)
        (void)!file_make_dir(path.p, user, &e); // a failure shows itself when it is used
    add(l, path, JAIL_READ | JAIL_WRITE);
}

size_t role_paths(enum role role, const struct config *c, struct arena *arena, struct jail_path *to, size_t max) {
    struct list_of_paths l = {.arena = arena, .to = to, .max = max};
    switch (role) {
    case ROLE_QUEUE:
        add(&l, c->state, JAIL_READ | JAIL_WRITE);
        break;
    case ROLE_POLICY:
        add_part_of_state(&l, c, "policy");
        break;
    case ROLE_HISTORY:
        add_part_of_state(&l, c, "history");
        break;
    case ROLE_REPORT:
        add_part_of_state(&l, c, "reports");
        break;
    case ROLE_KEYS:
        return role_keys_paths(c, arena, to, max);
    case ROLE_DELIVER:
        add_mail_roots(&l, c);
        break;
    case ROLE_LOOKUP:
        add_tables(&l, c);
        break;
    case ROLE_AUTH:
        add_auth_files(&l, c);
        break;
    case ROLE_FETCH:
        add_fetch_files(&l, c);
        break;
    case ROLE_RESOLVER:
        add_resolver_files(&l, c);
        break;
    default:
        break;
    }
    return l.n;
}
