// smtpd: accepting, counting, and taking down.
#include "svc/smtpd/smtpd.h"

#include "base/map.h"
#include "base/mem.h"
#include "core/queue_id.h"
#include "rt/journal.h"
#include "rt/tls.h"
#include "svc/metrics.h"
#include "svc/smtpd/smtpd_links.h"
#include "svc/smtpd/smtpd_session.h"

#include <stdlib.h>

// How many sessions an address has; while it has any.
struct client {
    uint8_t ip[16];
    uint32_t sessions;
};

struct open_session {
    struct smtpd_session session;
    struct smtpd_service *service;
    struct list entry;
    struct client *client; // NULL for a trusted one
    struct mono begun;
};

struct open_listener {
    struct smtpd_service *service;
    struct listener *listener;
};

struct smtpd_service {
    struct world *world;
    struct smtpd_shared shared;
    struct smtpd_links links;
    struct peer control;
    struct metric metrics;
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

struct smtpd_service *smtpd_new(struct world *w, const struct config *c) {
    struct smtpd_service *s = MEM_NEW(struct smtpd_service);
    s->world = w;
    list_init(&s->sessions);
    fiber_group_init(&s->links_group, w->loop, "smtpd links");
    fiber_group_init(&s->sessions_group, w->loop, "smtpd sessions");
    fiber_group_init(&s->listeners_group, w->loop, "smtpd listeners");
    smtpd_links_init(&s->links, w, &s->links_group, handle, s);
    s->control = (struct peer){.group = &s->links_group, .handle = handle, .service = s};
    s->shared =
        (struct smtpd_shared){.config = c, .backend = &s->links.backend, .journal = w->journal, .metrics = &s->metrics};
    world_random(w, &s->clients.key, sizeof s->clients.key);
    world_random(w, &s->ids, sizeof s->ids);
    metrics_begin(&s->metrics, w);
    return s;
}

static bool start_tls(void *arg, struct transport *inner, struct mono deadline, struct transport **out, struct err *e) {
    return tls_accept(arg, inner, deadline, out, e);
}

void smtpd_offer_tls(struct smtpd_service *s, struct tls_server *tls) {
    s->shared.start_tls = start_tls;
    s->shared.tls_arg = tls;
    s->shared.tls_cipher = tls_cipher;
}

void smtpd_attach(struct smtpd_service *s, struct link *link, enum role peer) {
    switch (peer) {
    case ROLE_QUEUE:
        peer_attach(&s->links.queue, link);
        break;
    case ROLE_LOOKUP:
        peer_attach(&s->links.lookup, link);
        break;
    default:
        peer_attach(&s->control, link);
        break;
    }
}

// --- who has how many sessions

static struct client *client_of(struct smtpd_service *s, const struct netaddr *peer) {
    struct client *c = map_get(&s->clients, slice_of(peer->ip, sizeof peer->ip));
    if (c)
        return c;
    c = MEM_NEW(struct client);
    memcpy(c->ip, peer->ip, sizeof c->ip);
    map_set(&s->clients, slice_of(c->ip, sizeof c->ip), c);
    return c;
}

static void forget_client(struct smtpd_service *s, struct client *c) {
    if (!c || --c->sessions)
        return;
    map_remove(&s->clients, slice_of(c->ip, sizeof c->ip));
    free(c);
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
    s->full_said = false;
    forget_client(s, o->client);
    free(o);
}

static void run_session(void *arg) {
    struct open_session *o = arg;
    smtpd_session_run(&o->session);
    end_session(o);
}

static void note_session(struct open_session *o, const struct netaddr *peer) {
    BUF_AUTO struct buf client = {.max = 64};
    netaddr_add_endpoint(&client, peer);
    journal_event(o->service->world->journal, JOURNAL_INFO, "session-begin",
                  JOURNAL_STR("session", slice_of(o->session.id, sizeof o->session.id)),
                  JOURNAL_STR("client", buf_slice(&client)), JOURNAL_BOOL("trusted", o->session.trusted));
}

static void begin_session(struct smtpd_service *s, struct transport *t, const struct netaddr *peer,
                          struct client *client) {
    struct open_session *o = MEM_NEW(struct open_session);
    struct err e;
    o->service = s;
    o->client = client;
    o->begun = loop_now(s->world->loop);
    smtpd_session_init(&o->session, &s->shared, t, peer, queue_id_make(world_wall(s->world), s->ids++));
    list_append(&s->sessions, &o->entry);
    s->sessions_n++;
    if (client)
        client->sessions++;
    metric_add(&s->metrics, METRIC_SESSIONS, 1);
    note_session(o, peer);
    if (!fiber_spawn(&s->sessions_group, "session", run_session, o, &e)) {
        journal_event(s->world->journal, JOURNAL_ERROR, "session-failed", JOURNAL_ERR(&e));
        end_session(o);
    }
}

// One line that the client may or may not read, and the end.
static void turn_away(struct smtpd_service *s, struct transport *t, enum metric_label_REASON reason, const char *why) {
    BUF_AUTO struct buf line = {.max = 512};
    size_t put;
    buf_addf(&line, "421 %s %.*s %s\r\n", reason == METRIC_REASON_LIMIT ? "4.3.2" : "4.7.0",
             SLICE_ARG(s->shared.config->hostname), why);
    t->ops->write(t, buf_slice(&line), &put, NULL);
    t->ops->close(t);
    metric_add_at(&s->metrics, METRIC_SESSIONS_REFUSED, reason, 1);
    if (reason == METRIC_REASON_LIMIT && !s->full_said)
        journal_event(s->world->journal, JOURNAL_WARNING, "sessions-full",
                      JOURNAL_UINT("limit", s->shared.config->limits.sessions));
    s->full_said = s->full_said || reason == METRIC_REASON_LIMIT;
}

static void admit(struct smtpd_service *s, struct transport *t, const struct netaddr *peer) {
    const struct config_limits *limits = &s->shared.config->limits;
    if (s->sessions_n >= limits->sessions) {
        turn_away(s, t, METRIC_REASON_LIMIT, "too many sessions, please try again later");
        return;
    }
    struct client *client = config_trusts(s->shared.config, peer) ? NULL : client_of(s, peer);
    if (client && client->sessions >= limits->sessions_per_client) {
        turn_away(s, t, METRIC_REASON_CLIENT_LIMIT, "too many sessions from your address");
        return;
    }
    begin_session(s, t, peer, client);
}

static void accept_all(void *arg) {
    struct open_listener *l = arg;
    struct smtpd_service *s = l->service;
    struct transport *t;
    struct netaddr peer;
    struct err e;
    for (;;) {
        if (listener_accept(l->listener, MONO_NEVER, &t, &peer, &e))
            admit(s, t, &peer);
        else if (e.kind == ERR_CANCELLED)
            break;
        else
            journal_event(s->world->journal, JOURNAL_WARNING, "accept-failed", JOURNAL_ERR(&e));
    }
    listener_close(l->listener);
    free(l);
}

void smtpd_listen(struct smtpd_service *s, struct listener *listener) {
    struct open_listener *l = MEM_NEW(struct open_listener);
    struct err e;
    *l = (struct open_listener){s, listener};
    if (fiber_spawn(&s->listeners_group, "listener", accept_all, l, &e))
        return;
    listener_close(listener);
    free(l);
}

// --- the end

void smtpd_stop(struct smtpd_service *s) {
    s->shared.stopping = true;
    fiber_group_cancel(&s->listeners_group);
    LIST_EACH(at, &s->sessions) smtpd_session_stop(&LIST_ENTRY(at, struct open_session, entry)->session);
}

size_t smtpd_sessions(const struct smtpd_service *s) { return s->sessions_n; }

void smtpd_close(struct smtpd_service *s) {
    smtpd_stop(s);
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
    free(s);
}
