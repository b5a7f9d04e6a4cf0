// role_keys: the service, and the directories that it looks into.
#include "cmd/role_keys.h"

#include "rt/disk/file.h"
#include "rt/jail/jail.h"
#include "svc/keys/keys.h"

#include <stdlib.h>

static void *make(struct world *w, const struct role_start *s, struct err *e) {
    return keys_new(w, s->config, s->instance, role_credential(s, "ticket-chain"));
}

static bool start(void *service, struct err *e) { return keys_start(service, e); }

static void attach(void *service, struct link *link, enum role peer, uint32_t instance) {
    keys_attach(service, link, peer);
}

static void stop(void *service) { keys_stop(service); }
static struct fiber_group *fibers(void *service) { return keys_fibers(service); }
static void gone(void *service) { keys_free(service); }

const struct role_kind role_keys = {
    .make = make, .start = start, .attach = attach, .stop = stop, .fibers = fibers, .free = gone};

// --- paths

struct paths {
    struct arena *arena;
    struct jail_path *to;
    size_t n, max;
};

static void add(struct paths *p, struct slice path) {
    for (size_t i = 0; i < p->n; i++)
        if (slice_eq(slice_str(p->to[i].path), path))
            return;
    struct slice kept = arena_dup(p->arena, path);
    if (kept.p && path.n && p->n < p->max)
        p->to[p->n++] = (struct jail_path){.path = kept.p, .access = JAIL_READ};
}

// A file right below the root would open all there is: then only what lies there now.
static void add_directory(struct paths *p, struct slice path) {
    size_t slash = slice_rfind(path, '/');
    add(p, slash == 0 || slash == path.n ? path : slice_upto(path, slash));
}

// Where it is named, and where links lead from there: /etc/letsencrypt/live leads to ../archive.
static void add_file(struct paths *p, struct slice path) {
    const char *text = path.n ? arena_dup(p->arena, path).p : NULL;
    char *real = text ? realpath(text, NULL) : NULL;
    if (text)
        add_directory(p, path);
    if (real)
        add_directory(p, slice_str(real));
    free(real);
}

// The directory of `posthouse dkim` may be made later: then the one that it will be in.
static void add_managed(struct paths *p, struct slice path) {
    struct file_identity there;
    const char *text = path.n ? arena_dup(p->arena, path).p : NULL;
    if (text && file_identify(text, &there))
        add(p, path);
    else if (text)
        add_directory(p, path);
}

size_t role_keys_paths(const struct config *c, struct arena *arena, struct jail_path *to, size_t max) {
    struct paths p = {.arena = arena, .to = to, .max = max};
    for (size_t i = 0; i < c->certificates_n; i++) {
        add_file(&p, c->certificates[i].certificate);
        add_file(&p, c->certificates[i].key);
        add_file(&p, c->certificates[i].ocsp);
    }
    for (size_t i = 0; i < c->dkims_n; i++)
        add_file(&p, c->dkims[i].key);
    if (c->gate.arc.key.n)
        add_file(&p, c->gate.arc.key);
    add_managed(&p, c->dkim_keys);
    return p.n;
}
