// smtpd: accepting, counting, and taking down.
#include "svc/smtpd/smtpd.h"

#include "base/map.h"
#include "base/mem.h"
#include "core/policy/client_name.h"
#include "core/queue/queue_id.h"
#include "rt/journal.h"
#include "rt/tls/tls.h"
#include "svc/keys_client.h"
#include "svc/metrics.h"
#include "svc/smtpd/smtpd_delegation.h"
#include "svc/smtpd/smtpd_links.h"
#include "svc/smtpd/smtpd_lists.h"
#include "svc/smtpd/smtpd_proxy.h"
#include "svc/smtpd/smtpd_session.h"
#include "svc/smtpd/smtpd_waited.h"

#include <stdlib.h>

enum { STRESS_PERCENT = 80 }; // of the sessions that there may be

// How many sessions an address has, while it has any; an IPv6 /64 is one, since its owner has all of it.
struct client {
    char name[CLIENT_NAME];
    struct slice key; // in it
    uint32_t sessions;
};

struct open_session {
    struct smtpd_session session;
    struct smtpd_service *service;
    struct list entry;
    struct client *client; // NULL for a trusted one, and before it is known
    bool proxied;          // a header of the PROXY protocol says who the client is
    struct mono begun;
};

struct open_listener {
    struct smtpd_service *service;
    struct listener *listener;
    bool tls_implicit;
    struct netaddr local;
};

struct smtpd_service {
    struct world *world;
    struct smtpd_shared shared;
    struct smtpd_links links;
    struct peer control;
    struct metric metrics;
    struct smtpd_wrote wrote;
    struct smtpd_waited waited;
    struct smtpd_lists lists;
    struct mono swept; // when slow sessions were looked for
    struct fiber_group links_group, sessions_group, listeners_group;
    struct list sessions;
    size_t sessions_n;
    struct map clients;
    uint32_t ids;
    bool full_said; // the event that the limit was reached; once until there is room again
};

static void handle(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct smtpd_service *s = service;
    metric_set(&s->metrics, METRIC_SESSIONS_OPEN, (int64_t)s->sessions_n);
    metrics_answer(&s->metrics, s->world, from, frame);
}

static FIBER_FN bool open_filter(void *arg, size_t index, struct transport **out, struct err *e) {
    struct smtpd_backend *b = arg;
    return b->ops->filter_open(b, index, out, e);
}

struct smtpd_service *smtpd_new(struct world *w, const struct config *c, enum role role) {
    struct smtpd_service *s = MEM_NEW(struct smtpd_service);
    s->world = w;
    list_init(&s->sessions);
    fiber_group_init(&s->links_group, w->loop, "smtpd links");
    fiber_group_init(&s->sessions_group, w->loop, "smtpd sessions");
    fiber_group_init(&s->listeners_group, w->loop, "smtpd listeners");
    smtpd_links_init(&s->links, w, c, &s->links_group, handle, s);
    s->control = (struct peer){.group = &s->links_group, .handle = handle, .service = s};
    s->shared = (struct smtpd_shared){
        .config = c,
        .backend = &s->links.backend,
        .journal = w->journal,
        .metrics = &s->metrics,
        .role = role,
        .wrote = &s->wrote,
        .waited = &s->waited,
    };
    s->shared.delegation = smtpd_delegation_new(c, open_filter, &s->links.backend);
    smtpd_lists_init(&s->lists, c, &s->links.oracle, &s->metrics);
    s->shared.list_states = s->lists.states;
    if (role == ROLE_SMTPD)
        smtpd_lists_begin(&s->lists, &s->links_group);
    world_random(w, &s->clients.key, sizeof s->clients.key);
    world_random(w, &s->ids, sizeof s->ids);
    world_random(w, &s->wrote.key, sizeof s->wrote.key);
    struct hash_key key;
    world_random(w, &key, sizeof key);
    smtpd_waited_init(&s->waited, &key);
    metrics_begin(&s->metrics, w);
    return s;
}

static bool start_tls(void *arg, struct transport *inner, struct mono deadline, struct transport **out, struct err *e) {
    return tls_accept(arg, inner, deadline, out, e);
}

static void tls_facts(struct transport *t, struct smtpd_tls_facts *out) {
    tls_exporter(t, &out->exporter);
    tls_server_end_point(t, &out->end_point);
    tls_client_user(t, &out->subject);
}

static void tls_told(struct transport *t, struct smtpd_tls_told *out) {
    out->version = tls_version(t);
    out->cipher = tls_cipher(t);
    out->bits = tls_bits(t);
    tls_client_names(t, &out->subject, &out->issuer);
}

void smtpd_offer_tls(struct smtpd_service *s, struct tls_server *tls) {
    s->shared.start_tls = start_tls;
    s->shared.tls_arg = tls;
    s->shared.tls_cipher = tls_cipher;
    s->shared.tls_facts = tls_facts;
    s->shared.tls_told = tls_told;
}

static const struct message_keys_set *signers(void *arg) { return keys_client_set(arg); }

void smtpd_sign_with(struct smtpd_service *s, struct keys_client *keys) {
    s->shared.signers = signers;
    s->shared.signer = signer_of_keys(keys);
}

void smtpd_attach(struct smtpd_service *s, struct link *link, enum role peer, uint32_t instance) {
    struct peer *to = smtpd_links_peer(&s->links, peer, instance);
    peer_attach(to ? to : &s->control, link);
    if (peer == ROLE_RESOLVER && s->shared.role == ROLE_SMTPD)
        smtpd_oracle_begin(&s->links.oracle);
}

// As much of it as fits: nobody waits for who isn't let in.
static void say_421(struct transport *t, const struct config *c, const char *enhanced, const char *why) {
    BUF_AUTO struct buf line = {.max = 512};
    size_t put;
    buf_addf(&line, "421 %s %.*s %s\r\n", enhanced, SLICE_ARG(c->hostname), why);
    t->ops->write(t, buf_slice(&line), &put, NULL);
}

// --- who has how many sessions

static struct client *client_of(struct smtpd_service *s, const struct netaddr *peer) {
    char name[CLIENT_NAME];
    struct client *c = map_get(&s->clients, client_name_address(peer, name));
    if (c)
        return c;
    c = MEM_NEW(struct client);
    c->key = client_name_address(peer, c->name);
    map_set(&s->clients, c->key, c);
    return c;
}

static void forget_client(struct smtpd_service *s, struct client *c) {
    if (!c || --c->sessions)
        return;
    map_remove(&s->clients, c->key);
    free(c);
}

// Counts one more session of a client; trusted ones aren't counted. False when it has enough of them.
static bool count_client(struct smtpd_service *s, const struct netaddr *address, struct client **out) {
    const struct config *c = s->shared.config;
    if (config_trusts(c, address))
        return true;
    struct client *client = client_of(s, address);
    if (client->sessions >= c->limits.sessions_per_client)
        return false;
    client->sessions++;
    *out = client;
    return true;
}

// --- too many sessions

// Strangers who keep a session and say nothing give way to those who come. The others are asked by shorter patience
// (smtpd_session_patience).
static void give_way(struct open_session *o) {
    struct smtpd_session *session = &o->session;
    struct transport *t = session->stream.transport;
    if (session->idle && session->stream.out.n == 0)
        say_421(t, o->service->shared.config, "4.4.2", "too busy to wait, please connect again later");
    t->ops->shutdown(t);
    metric_add_at(&o->service->metrics, METRIC_SESSIONS_REFUSED, METRIC_REASON_LIMIT, 1);
}

static bool is_slow(const struct smtpd_session *s, struct mono now) {
    return s->waits_since.ns && smtpd_session_gives_way(s) && mono_ms_between(s->waits_since, now) > SMTPD_STRESS_MS;
}

static void sweep(struct smtpd_service *s) {
    struct mono now = loop_now(s->world->loop);
    if (s->swept.ns && mono_ms_between(s->swept, now) < MS_SECOND)
        return;
    s->swept = now;
    LIST_EACH(at, &s->sessions) {
        struct open_session *o = LIST_ENTRY(at, struct open_session, entry);
        if (is_slow(&o->session, now))
            give_way(o);
    }
}

static void watch_stress(struct smtpd_service *s) {
    uint64_t most = s->shared.config->limits.sessions;
    s->shared.stress = s->sessions_n > most * STRESS_PERCENT / 100;
    if (s->shared.stress)
        sweep(s);
}

// --- sessions

static void end_session(struct open_session *o) {
    struct smtpd_service *s = o->service;
    journal_event(s->world->journal, JOURNAL_INFO, "session-end",
                  JOURNAL_STR("session", slice_of(o->session.id, sizeof o->session.id)),
                  JOURNAL_UINT("messages", o->session.messages), JOURNAL_UINT("errors", o->session.errors),
                  JOURNAL_BOOL("tls", o->session.tls),
                  JOURNAL_MS("lasted", mono_ms_between(o->begun, loop_now(s->world->loop))));
    smtpd_session_done(&o->session);
    list_remove(&o->entry);
    s->sessions_n--;
    s->shared.stress =
        s->shared.stress && s->sessions_n > s->shared.config->limits.sessions * (uint64_t)STRESS_PERCENT / 100;
    s->full_said = false;
    forget_client(s, o->client);
    free(o);
}

static void note_session(const struct open_session *o) {
    BUF_AUTO struct buf client = {.max = 64};
    netaddr_add_endpoint(&client, &o->session.client);
    journal_event(o->service->world->journal, JOURNAL_INFO, "session-begin",
                  JOURNAL_STR("session", slice_of(o->session.id, sizeof o->session.id)),
                  JOURNAL_STR("client", buf_slice(&client)), JOURNAL_BOOL("trusted", o->session.trusted));
}

static void note_bad_proxy(const struct open_session *o, const struct err *e) {
    struct smtpd_service *s = o->service;
    journal_event(s->world->journal, JOURNAL_WARNING, "proxy-refused",
                  JOURNAL_STR("session", slice_of(o->session.id, sizeof o->session.id)),
                  JOURNAL_STR("proxy", slice_of(o->session.client_text, o->session.client_text_n)), JOURNAL_ERR(e));
    metric_add_at(&s->metrics, METRIC_SESSIONS_REFUSED, METRIC_REASON_SYNTAX, 1);
}

// Who is behind a proxy. Asked before any other byte, those of implicit TLS included.
static FIBER_FN bool meet_client(struct open_session *o) {
    struct smtpd_service *s = o->service;
    struct netaddr client = o->session.client;
    struct err e;
    o->session.handshaking = true;
    bool known = smtpd_proxy_read(o->session.stream.transport, &client, &o->session.local, &e);
    o->session.handshaking = false;
    if (!known) {
        note_bad_proxy(o, &e);
        return false;
    }
    smtpd_session_set_client(&o->session, &client);
    if (count_client(s, &client, &o->client))
        return true;
    if (!o->session.tls_implicit)
        say_421(o->session.stream.transport, s->shared.config, "4.7.0", "too many sessions from your address");
    metric_add_at(&s->metrics, METRIC_SESSIONS_REFUSED, METRIC_REASON_CLIENT_LIMIT, 1);
    return false;
}

static void run_session(void *arg) {
    struct open_session *o = arg;
    if (!o->proxied || meet_client(o)) {
        note_session(o);
        smtpd_session_run(&o->session);
    }
    end_session(o);
}

static void begin_session(struct open_listener *l, struct transport *t, const struct netaddr *peer,
                          struct client *client, bool proxied) {
    struct smtpd_service *s = l->service;
    struct open_session *o = MEM_NEW(struct open_session);
    struct err e;
    o->service = s;
    o->client = client;
    o->proxied = proxied;
    o->begun = loop_now(s->world->loop);
    smtpd_session_init(&o->session, &s->shared, t, peer, queue_id_make(world_wall(s->world), s->ids++));
    o->session.local = l->local;
    o->session.tls_implicit = l->tls_implicit;
    list_append(&s->sessions, &o->entry);
    s->sessions_n++;
    metric_add(&s->metrics, METRIC_SESSIONS, 1);
    if (!fiber_spawn(&s->sessions_group, "session", run_session, o, &e)) {
        journal_event(s->world->journal, JOURNAL_ERROR, "session-failed", JOURNAL_ERR(&e));
        end_session(o);
    }
}

// One line that the client may or may not read, and the end. Nobody would read it before a handshake.
static void turn_away(struct open_listener *l, struct transport *t, enum metric_label_REASON reason, const char *why) {
    struct smtpd_service *s = l->service;
    if (!l->tls_implicit)
        say_421(t, s->shared.config, reason == METRIC_REASON_LIMIT ? "4.3.2" : "4.7.0", why);
    t->ops->close(t);
    metric_add_at(&s->metrics, METRIC_SESSIONS_REFUSED, reason, 1);
    if (reason == METRIC_REASON_LIMIT && !s->full_said)
        journal_event(s->world->journal, JOURNAL_WARNING, "sessions-full",
                      JOURNAL_UINT("limit", s->shared.config->limits.sessions));
    s->full_said = s->full_said || reason == METRIC_REASON_LIMIT;
}

static void admit(struct open_listener *l, struct transport *t, const struct netaddr *peer) {
    struct smtpd_service *s = l->service;
    const struct config *c = s->shared.config;
    struct client *client = NULL;
    bool proxied = config_in_nets(c->proxy_from, c->proxy_from_n, peer);
    watch_stress(s);
    if (c->gate.memory && s->shared.held >= c->gate.memory)
        turn_away(l, t, METRIC_REASON_LIMIT, "too much mail is coming in, please try again later");
    else if (s->sessions_n >= c->limits.sessions)
        turn_away(l, t, METRIC_REASON_LIMIT, "too many sessions, please try again later");
    else if (!proxied && !count_client(s, peer, &client))
        turn_away(l, t, METRIC_REASON_CLIENT_LIMIT, "too many sessions from your address");
    else
        begin_session(l, t, peer, client, proxied);
}

static void accept_all(void *arg) {
    struct open_listener *l = arg;
    struct smtpd_service *s = l->service;
    struct transport *t;
    struct netaddr peer;
    struct err e;
    for (;;) {
        if (listener_accept(l->listener, MONO_NEVER, &t, &peer, &e))
            admit(l, t, &peer);
        else if (e.kind == ERR_CANCELLED)
            break;
        else
            journal_event(s->world->journal, JOURNAL_WARNING, "accept-failed", JOURNAL_ERR(&e));
    }
    listener_close(l->listener);
    free(l);
}

void smtpd_listen(struct smtpd_service *s, struct listener *listener, const struct config_listen *as) {
    struct open_listener *l = MEM_NEW(struct open_listener);
    struct err e;
    *l = (struct open_listener){.service = s, .listener = listener};
    if (as) {
        l->local = as->at;
        l->tls_implicit = as->tls_implicit;
    }
    if (fiber_spawn(&s->listeners_group, "listener", accept_all, l, &e))
        return;
    listener_close(listener);
    free(l);
}

// --- the end

void smtpd_stop(struct smtpd_service *s) {
    s->shared.stopping = true;
    fiber_cond_wake_all(&s->shared.stopped);
    fiber_group_cancel(&s->listeners_group);
    LIST_EACH(at, &s->sessions) smtpd_session_stop(&LIST_ENTRY(at, struct open_session, entry)->session);
}

size_t smtpd_sessions(const struct smtpd_service *s) { return s->sessions_n; }

void smtpd_close(struct smtpd_service *s) {
    smtpd_stop(s);
    smtpd_links_records_done(&s->links);
    fiber_yield(); // links are written at a turn's end
    fiber_group_cancel(&s->sessions_group);
    fiber_group_cancel(&s->links_group);
    fiber_group_join(&s->listeners_group);
    fiber_group_join(&s->sessions_group);
    fiber_group_join(&s->links_group);
}

void smtpd_free(struct smtpd_service *s) {
    if (!s)
        return;
    map_done(&s->clients);
    smtpd_waited_done(&s->waited);
    smtpd_links_done(&s->links);
    smtpd_lists_done(&s->lists);
    smtpd_delegation_free(s->shared.delegation);
    free(s);
}
