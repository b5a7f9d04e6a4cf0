// auth_conversation: which conversations there are, whose they are, and when they are forgotten.
#include "svc/auth/auth_inside.h"

#include "base/mem.h"

#include <stdlib.h>

enum { SWEEP_MS = 30 * MS_SECOND };

static struct slice key_of(const struct auth_conversation *c) { return slice_of(&c->id, sizeof c->id); }

void auth_conversation_free(struct auth_conversation *c) {
    map_remove(&c->service->by_id, key_of(c));
    list_remove(&c->entry);
    sasl_done(&c->sasl);
    peer_drop(c->from);
    free(c);
}

static void refuse(struct peer_link *to, uint64_t id, enum message_auth_result result, struct slice why) {
    BUF_AUTO struct buf packed = {.max = 1024};
    if (message_auth_reply_pack(&packed, &(struct message_auth_reply){.result = result, .why = why}))
        link_send1(to->link, LINK_AUTH_REPLY, id, buf_slice(&packed));
}

// --- silence

static void sweep_later(struct auth_service *s) {
    loop_timer_set(s->world->loop, &s->sweep,
                   list_empty(&s->silent) ? MONO_NEVER : loop_in_ms(s->world->loop, SWEEP_MS));
}

void auth_conversation_on_sweep(struct loop_timer *t) {
    struct auth_service *s = LIST_ENTRY(t, struct auth_service, sweep);
    struct mono now = loop_now(s->world->loop);
    LIST_EACH(at, &s->silent) {
        struct auth_conversation *c = LIST_ENTRY(at, struct auth_conversation, entry);
        if (!link_is_up(c->from->link) || mono_ms_between(c->since, now) >= AUTH_SILENCE_MS)
            auth_conversation_free(c);
    }
    sweep_later(s);
}

static void fall_silent(struct auth_conversation *c) {
    struct auth_service *s = c->service;
    c->is_busy = false;
    c->since = loop_now(s->world->loop);
    list_remove(&c->entry);
    bool first = list_empty(&s->silent);
    list_append(&s->silent, &c->entry);
    if (first)
        sweep_later(s);
}

// --- requests

static void request_free(struct auth_request *r) {
    if (r->payload.p)
        explicit_bzero(r->payload.p, r->payload.cap);
    buf_done(&r->payload);
    free(r);
}

static void run(void *arg) {
    struct auth_request *r = arg;
    struct auth_conversation *c = r->c;
    auth_converse(r);
    bool goes_on = c->sasl_waits && !c->cancelled && link_is_up(c->from->link);
    request_free(r);
    if (goes_on)
        fall_silent(c);
    else
        auth_conversation_free(c);
}

static struct auth_request *request_new(struct auth_service *s, struct auth_conversation *c,
                                        const struct link_frame *frame) {
    struct auth_request *r = MEM_NEW(struct auth_request);
    *r = (struct auth_request){.c = c, .id = frame->id, .began = loop_now(s->world->loop)};
    r->payload.max = frame->payload.n;
    buf_add(&r->payload, frame->payload);
    return r;
}

static void start(struct auth_request *r) {
    struct auth_conversation *c = r->c;
    struct err e;
    c->is_busy = true;
    c->sasl_waits = false;
    list_remove(&c->entry);
    list_append(&c->service->busy, &c->entry);
    if (fiber_spawn(&c->service->group, "log-in", run, r, &e))
        return;
    refuse(c->from, r->id, MESSAGE_AUTH_TROUBLE, slice_str(e.text));
    request_free(r);
    auth_conversation_free(c);
}

// --- frames

static bool make_room(struct auth_service *s) {
    if (s->by_id.n < AUTH_CONVERSATIONS_MAX)
        return true;
    if (list_empty(&s->silent))
        return false;
    auth_conversation_free(LIST_ENTRY(s->silent.next, struct auth_conversation, entry));
    return true;
}

static struct auth_conversation *conversation_new(struct auth_service *s, struct peer_link *from,
                                                  const struct message_auth_begin *m) {
    struct auth_conversation *c = MEM_NEW(struct auth_conversation);
    *c = (struct auth_conversation){.service = s, .id = ++s->last_id, .client = m->client, .local = m->local};
    c->from = peer_hold(from);
    struct slice session = slice_upto(m->session, sizeof c->session - 1);
    if (session.n)
        memcpy(c->session, session.p, session.n);
    map_set(&s->by_id, key_of(c), c);
    return c;
}

static void begin(struct auth_service *s, struct peer_link *from, const struct link_frame *frame) {
    struct message_auth_begin m;
    enum sasl_mechanism mechanism;
    if (!message_auth_begin_unpack(frame->payload, &m)) {
        link_break(from->link, "malformed AUTH_BEGIN");
    } else if (!sasl_find(m.mechanism, &mechanism)) {
        refuse(from, frame->id, MESSAGE_AUTH_BAD, SLICE("unknown mechanism"));
    } else if (!make_room(s)) {
        refuse(from, frame->id, MESSAGE_AUTH_TROUBLE, SLICE("too many log-ins at once"));
    } else {
        struct auth_conversation *c = conversation_new(s, from, &m);
        struct auth_request *r = request_new(s, c, frame);
        c->mechanism = mechanism;
        r->is_begin = message_auth_begin_unpack(buf_slice(&r->payload), &r->begin);
        start(r);
    }
}

// Of this link only: ids of others are none.
static struct auth_conversation *find(struct auth_service *s, const struct peer_link *from, uint64_t id) {
    struct auth_conversation *c = map_get(&s->by_id, slice_of(&id, sizeof id));
    return c && c->from == from ? c : NULL;
}

static void go_on(struct auth_service *s, struct peer_link *from, const struct link_frame *frame) {
    struct message_auth_continue m;
    if (!message_auth_continue_unpack(frame->payload, &m)) {
        link_break(from->link, "malformed AUTH_CONTINUE");
        return;
    }
    struct auth_conversation *c = find(s, from, m.conversation);
    if (!c || c->is_busy) {
        refuse(from, frame->id, MESSAGE_AUTH_TROUBLE, SLICE("no such conversation"));
        return;
    }
    struct auth_request *r = request_new(s, c, frame);
    if (message_auth_continue_unpack(buf_slice(&r->payload), &m))
        r->response = m.response;
    start(r);
}

static void cancel(struct auth_service *s, struct peer_link *from, const struct link_frame *frame) {
    struct message_auth_continue m;
    if (!message_auth_continue_unpack(frame->payload, &m)) {
        link_break(from->link, "malformed AUTH_CANCEL");
        return;
    }
    struct auth_conversation *c = find(s, from, m.conversation);
    if (c && c->is_busy)
        c->cancelled = true;
    else if (c)
        auth_conversation_free(c);
}

void auth_conversation_from_asker(void *service, struct peer_link *from, const struct link_frame *frame) {
    switch (frame->type) {
    case LINK_AUTH_BEGIN:
        begin(service, from, frame);
        break;
    case LINK_AUTH_CONTINUE:
        go_on(service, from, frame);
        break;
    case LINK_AUTH_CANCEL:
        cancel(service, from, frame);
        break;
    default:
        link_break(from->link, "not for auth");
    }
}
