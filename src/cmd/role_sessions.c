// role_sessions: puts the session service, TLS and the client of the keys processes together.
#include "cmd/role_sessions.h"

#include "base/mem.h"
#include "rt/disk/file.h"
#include "rt/journal.h"
#include "rt/tls/tls.h"
#include "svc/keys_client.h"
#include "svc/master/topology.h"
#include "svc/smtpd/smtpd.h"

#include <stdlib.h>

enum { LOOK_MS = 10, CA_MAX = 4 * 1024 * 1024 };

struct sessions {
    struct world *world;
    const struct config *config;
    struct smtpd_service *service;
    struct fiber_group keys_group;
    struct keys_client *keys; // NULL: there is no certificate, so no TLS, and nothing to seal with
    struct tls_server *tls;   // likewise
};

// --- TLS

static FIBER_FN bool sign(void *arg, const struct message_keys_sign *what, struct buf *out) {
    struct sessions *s = arg;
    struct err e;
    if (keys_client_sign(s->keys, what, out, &e))
        return true;
    journal_event(s->world->journal, JOURNAL_WARNING, "tls-not-signed", JOURNAL_ERR(&e));
    return false;
}

static void take_set(void *arg, const struct message_keys_set *set) {
    struct sessions *s = arg;
    struct err e;
    if (!tls_server_update(s->tls, set, &e))
        journal_event(s->world->journal, JOURNAL_ERROR, "certificate-unusable", JOURNAL_ERR(&e));
}

// Before the jail: in it nothing can be opened.
static bool read_client_ca(const struct config *c, struct buf *to, struct err *e) {
    ARENA_AUTO struct arena arena = {.max = 64 * 1024};
    return !c->tls_client_ca.n || file_read(arena_dup(&arena, c->tls_client_ca).p, to, e);
}

static bool make_tls(struct sessions *s, enum role role, struct err *e) {
    const struct config *c = s->config;
    BUF_AUTO struct buf ca = {.max = CA_MAX};
    if (role == ROLE_SUBMISSION && !read_client_ca(c, &ca, e)) // only users have certificates that mean something
        return false;
    keys_client_on_set(s->keys, take_set, s);
    s->tls = tls_server_new(&(struct tls_server_setup){.name = role_name(role),
                                                       .old_profile = c->tls_profile == CONFIG_TLS_OLD,
                                                       .ticket_life = c->tls_ticket_life,
                                                       .client_ca = buf_slice(&ca),
                                                       .sign = sign,
                                                       .sign_arg = s},
                            e);
    return s->tls;
}

// --- the role

static void gone(void *service) {
    struct sessions *s = service;
    smtpd_free(s->service);
    tls_server_free(s->tls);
    keys_client_free(s->keys);
    free(s);
}

static void *make(struct world *w, const struct role_start *start, struct err *e) {
    struct sessions *s = MEM_NEW(struct sessions);
    *s = (struct sessions){.world = w, .config = start->config};
    fiber_group_init(&s->keys_group, w->loop, "keys");
    s->service = smtpd_new(w, start->config, start->role);
    bool seals = start->role == ROLE_SMTPD && start->config->gate.arc.key.n;
    if (start->config->certificates_n || seals)
        s->keys = keys_client_new(w, &s->keys_group, topology_instances(start->config, ROLE_KEYS));
    if (start->config->certificates_n && !make_tls(s, start->role, e)) {
        gone(s);
        return NULL;
    }
    if (s->tls)
        smtpd_offer_tls(s->service, s->tls);
    if (s->keys && (start->role == ROLE_SUBMISSION || seals))
        smtpd_sign_with(s->service, s->keys);
    return s;
}

static void attach(void *service, struct link *link, enum role peer, uint32_t instance) {
    struct sessions *s = service;
    if (peer != ROLE_KEYS)
        smtpd_attach(s->service, link, peer, instance);
    else if (s->keys)
        keys_client_attach(s->keys, link, instance);
    else
        link_free(link);
}

static bool listen_on(void *service, struct listener *l, uint32_t index, struct err *e) {
    struct sessions *s = service;
    smtpd_listen(s->service, l, index < s->config->listens_n ? &s->config->listens[index] : NULL);
    return true;
}

// Until the last session has ended: master decides how long that may take.
static void stop(void *service) {
    struct sessions *s = service;
    smtpd_stop(s->service);
    while (smtpd_sessions(s->service) && fiber_sleep(LOOK_MS)) {
    }
    smtpd_close(s->service);
    fiber_group_cancel(&s->keys_group);
    fiber_group_join(&s->keys_group);
}

const struct role_kind role_sessions = {
    .make = make, .attach = attach, .listen = listen_on, .stop = stop, .free = gone};
