// control: links to every other process, and sessions on the control socket and the HTTP port.
#include "svc/control/control_inside.h"

#include "base/mem.h"
#include "svc/control/control_ask.h"
#include "svc/master/topology.h"

#include <stdio.h>
#include <stdlib.h>

enum { STOP_GRACE_MS = 1000 };

struct served {
    struct list entry;
    struct control *control;
    struct listener *listener;
    enum control_listen kind;
};

struct session {
    struct control *control;
    struct transport *transport;
    enum control_listen kind;
};

struct control *control_new(struct world *w, const struct config *config, const char *version) {
    struct control *c = MEM_NEW(struct control);
    *c = (struct control){.world = w, .config = config, .version = version, .started = world_wall(w)};
    list_init(&c->peers);
    list_init(&c->listeners);
    fiber_group_init(&c->links, w->loop, "control links");
    fiber_group_init(&c->acceptors, w->loop, "control listeners");
    fiber_group_init(&c->sessions, w->loop, "control sessions");
    control_ask_init(world_random_u64(w));
    return c;
}

void control_free(struct control *c) {
    if (!c)
        return;
    for (struct list *at = list_shift(&c->peers); at; at = list_shift(&c->peers))
        free(LIST_ENTRY(at, struct control_peer, entry));
    free(c);
}

// --- links

void control_name(const struct control *c, enum role role, uint32_t instance, char to[24]) {
    if (topology_instances(c->config, role) > 1)
        snprintf(to, 24, "%s-%u", role_name(role), instance + 1);
    else
        snprintf(to, 24, "%s", role_name(role));
}

struct control_peer *control_peer(struct control *c, enum role role, uint32_t instance) {
    LIST_EACH(at, &c->peers) {
        struct control_peer *p = LIST_ENTRY(at, struct control_peer, entry);
        if (p->role == role && p->instance == instance)
            return p;
    }
    return NULL;
}

// Nobody has anything to ask of us; a frame that is no answer ends its link.
static void unexpected(void *service, struct peer_link *from, const struct link_frame *frame) {
    link_break(from->link, "control is not asked");
}

static struct control_peer *new_peer(struct control *c, enum role role, uint32_t instance) {
    struct control_peer *p = MEM_NEW(struct control_peer);
    *p = (struct control_peer){
        .role = role, .instance = instance, .peer = {.group = &c->links, .handle = unexpected, .service = c}};
    list_append(&c->peers, &p->entry);
    c->peers_n++;
    return p;
}

void control_attach(struct control *c, struct link *link, enum role role, uint32_t instance) {
    struct control_peer *p = control_peer(c, role, instance);
    if (!p && c->peers_n >= CONTROL_PEERS_MAX) {
        link_free(link);
        return;
    }
    if (!p)
        p = new_peer(c, role, instance);
    if (p->answered)
        metric_retire(&c->gone, &p->last);
    p->answered = false;
    p->last = (struct metric){0};
    peer_attach(&p->peer, link);
}

// --- sessions

static void serve_requests(struct control *c, struct stream *s) {
    struct slice line;
    struct err e;
    bool too_long;
    while (stream_line(s, CONTROL_REQUEST_MAX, loop_in_ms(c->world->loop, CONTROL_IDLE_MS), &line, &too_long, &e)) {
        // The line is a view into the stream, which answering may turn over.
        char copy[CONTROL_REQUEST_MAX];
        if (!too_long)
            memcpy(copy, line.p, line.n);
        if (too_long)
            control_request_failed(s, 64, "a request of more than %d bytes", CONTROL_REQUEST_MAX);
        else
            control_request(c, slice_trim(slice_of(copy, line.n)), s);
        if (!stream_flush(s, &e))
            break;
    }
}

static void serve(void *arg) {
    struct session session = *(struct session *)arg;
    struct control *c = session.control;
    struct stream s;
    free(arg);
    stream_init(&s, session.transport);
    s.write_timeout_ms = CONTROL_IDLE_MS;
    if (session.kind == CONTROL_LISTEN_SOCKET)
        serve_requests(c, &s);
    else
        control_http(c, &s);
    stream_done(&s);
    c->open[session.kind]--;
}

// So much of it as fits at once: nobody waits for one that may not read.
static void turn_away(struct transport *t, enum control_listen kind) {
    static const char busy[] = "{\"ok\":false,\"error\":\"too many ask the server at once\",\"exit\":75}\n",
                      http[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    size_t put;
    t->ops->write(t, slice_str(kind == CONTROL_LISTEN_SOCKET ? busy : http), &put, NULL);
    t->ops->close(t);
}

static void begin(struct control *c, struct transport *t, enum control_listen kind) {
    struct session *session = MEM_NEW(struct session);
    struct err e;
    *session = (struct session){.control = c, .transport = t, .kind = kind};
    if (c->open[kind] < CONTROL_SESSIONS_MAX && fiber_spawn(&c->sessions, "control session", serve, session, &e)) {
        c->open[kind]++;
        return;
    }
    turn_away(t, kind);
    free(session);
}

static void accept_all(void *arg) {
    struct served *served = arg;
    for (;;) {
        struct transport *t;
        struct netaddr peer;
        struct err e;
        if (listener_accept(served->listener, MONO_NEVER, &t, &peer, &e))
            begin(served->control, t, served->kind);
        else if (e.kind == ERR_CANCELLED)
            break;
    }
    listener_close(served->listener);
    list_remove(&served->entry);
    free(served);
}

bool control_listen(struct control *c, struct listener *l, enum control_listen kind, struct err *e) {
    struct served *served = MEM_NEW(struct served);
    *served = (struct served){.control = c, .listener = l, .kind = kind};
    list_append(&c->listeners, &served->entry);
    if (fiber_spawn(&c->acceptors, "control listener", accept_all, served, e))
        return true;
    list_remove(&served->entry);
    listener_close(l);
    free(served);
    return false;
}

void control_stop(struct control *c) {
    fiber_group_cancel(&c->acceptors);
    fiber_group_join(&c->acceptors);
    struct mono deadline = loop_in_ms(c->world->loop, STOP_GRACE_MS);
    while (c->sessions.n && mono_before(loop_now(c->world->loop), deadline) && fiber_sleep(5)) {
    }
    fiber_group_cancel(&c->sessions);
    fiber_group_join(&c->sessions);
    fiber_group_cancel(&c->links);
    fiber_group_join(&c->links);
}
