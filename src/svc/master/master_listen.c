// master_listen: what must be had before any process starts: the state directory for us alone, and every port.
#include "svc/master/master_inside.h"

#include "base/mem.h"
#include "rt/disk/file.h"
#include "rt/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

enum { PATH_SIZE = 4200 };

void master_listen_text(const struct config_listen *l, struct buf *to) {
    static const char *const names[] = {
        [CONFIG_LISTEN_MX] = "mx", [CONFIG_LISTEN_HTTP] = "http", [CONFIG_LISTEN_SUBMISSION] = "submission"};
    buf_addf(to, "%s on ", names[l->role]);
    netaddr_add_endpoint(to, &l->at);
    if (l->tls_implicit)
        buf_add_str(to, " (TLS)");
}

static bool same(const struct netaddr *a, const struct netaddr *b) {
    return a->port == b->port && netaddr_same_ip(a, b);
}

static int fd_in(const struct master_listener *l, size_t n, const struct netaddr *at) {
    for (size_t i = 0; i < n; i++)
        if (l[i].fd >= 0 && same(&l[i].at, at))
            return l[i].fd;
    return -1;
}

void master_close_listeners(struct master_listener *l, size_t n, const struct master_listener *kept, size_t kept_n) {
    for (size_t i = 0; i < n; i++)
        if (fd_in(kept, kept_n, &l[i].at) < 0)
            process_close(l[i].fd);
    free(l);
}

// [::]:25 takes IPv4 as well, unless IPv4 has a line of its own for that port.
static bool only_v6(const struct config *c, const struct netaddr *at) {
    for (size_t i = 0; i < c->listens_n; i++)
        if (c->listens[i].at.family == NETADDR_V4 && c->listens[i].at.port == at->port)
            return true;
    return false;
}

static bool explain(const struct site *site, const struct config_listen *l, const struct err *e, struct buf *why) {
    char place[PATH_SIZE], where[80];
    struct buf b = {.p = where, .cap = sizeof where - 1, .max = sizeof where - 1};
    netaddr_add_endpoint(&b, &l->at);
    where[b.n] = '\0';
    site_place(site, l->place, place, sizeof place);
    if (e->sys == EADDRINUSE)
        buf_addf(why,
                 "cannot listen on %s: address already in use by another program; stop it or change \"listen\" at %s",
                 where, place);
    else if (e->sys == EACCES)
        buf_addf(why,
                 "cannot listen on %s: not allowed; start as root, or change \"listen\" at %s to a port above 1023",
                 where, place);
    else if (e->sys == EADDRNOTAVAIL)
        buf_addf(why, "cannot listen on %s: this machine has no such address; change \"listen\" at %s", where, place);
    else
        buf_addf(why, "cannot listen on %s: %s; see \"listen\" at %s", where, e->text, place);
    return false;
}

static bool open_one(struct master *m, const struct config *c, struct master_listener *l, struct err *e) {
    l->fd = activation_find(&m->given, &l->at);
    return l->fd >= 0 || listen_tcp(&l->at, only_v6(c, &l->at), &l->fd, e);
}

bool master_bind(struct master *m, const struct site *site, const struct master_listener *old, size_t old_n,
                 struct master_listener **out, struct buf *why) {
    const struct config *c = site->config;
    struct master_listener *made = mem_new(c->listens_n + 1, sizeof *made);
    for (size_t i = 0; i < c->listens_n; i++) {
        struct err e;
        made[i] = (struct master_listener){.at = c->listens[i].at, .fd = fd_in(old, old_n, &c->listens[i].at)};
        if (made[i].fd >= 0 || open_one(m, c, &made[i], &e))
            continue;
        explain(site, &c->listens[i], &e, why);
        master_close_listeners(made, i, old, old_n);
        return false;
    }
    *out = made;
    return true;
}

static const char *text_of(struct arena *a, struct slice s) { return arena_dup(a, s).p; }

static bool make_state(struct master *m, struct arena *a, struct buf *why) {
    const struct config *c = m->site->config;
    struct err e;
    if (file_make_dir(text_of(a, c->state), c->user.n ? text_of(a, c->user) : NULL, &e))
        return true;
    buf_addf(why, "%s; see \"state\" and \"user\" in %s", e.text, m->site->path);
    return false;
}

static bool lock_state(struct master *m, struct arena *a, struct buf *why, int *exit_code) {
    struct slice state = m->site->config->state;
    struct err e;
    int64_t holder = 0;
    if (file_lock(arena_printf(a, "%.*s/lock", SLICE_ARG(state)).p, &m->lock, &holder, &e))
        return true;
    if (e.sys != EWOULDBLOCK) {
        buf_addf(why, "%s; see \"state\" in %s", e.text, m->site->path);
        return false;
    }
    *exit_code = EX_UNAVAILABLE;
    buf_addf(why, "a posthouse (process %lld) is running on %.*s already; stop it with: posthouse stop -c %s",
             (long long)holder, SLICE_ARG(state), m->site->path);
    return false;
}

static bool make_directory_of(struct arena *a, struct slice path, struct err *e) {
    size_t slash = slice_rfind(path, '/');
    return slash == 0 || slash == path.n || file_make_dir(text_of(a, slice_upto(path, slash)), NULL, e);
}

static bool take_control(struct master *m, struct arena *a, struct buf *why) {
    struct slice path = m->site->config->control;
    struct err e;
    if (make_directory_of(a, path, &e) && listen_unix(text_of(a, path), &m->control, &e))
        return true;
    buf_addf(why, "cannot make the control socket %.*s: %s; see \"control\" in %s", SLICE_ARG(path), e.text,
             m->site->path);
    return false;
}

bool master_prepare(struct master *m, struct buf *why, int *exit_code) {
    ARENA_AUTO struct arena a = {.max = 64 * 1024};
    *exit_code = EX_CANTCREAT;
    if (!make_state(m, &a, why) || !lock_state(m, &a, why, exit_code))
        return false;
    *exit_code = EX_UNAVAILABLE;
    return master_bind(m, m->site, NULL, 0, &m->listeners, why) && take_control(m, &a, why);
}
