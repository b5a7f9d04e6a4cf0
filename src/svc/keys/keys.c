// keys: watching files, telling sessions, signing.
#include "svc/keys/keys.h"

#include "base/mem.h"
#include "core/keys/ticket_chain.h"
#include "rt/journal.h"
#include "svc/keys/keys_store.h"
#include "svc/metrics.h"

#include <assert.h>
#include <stdlib.h>

enum { LOOK_MS = 1 * MS_SECOND, SET_MAX = LINK_PAYLOAD_MAX, ARENA_MAX = 4 * 1024 * 1024 };

// Somebody who wants to know of changes.
struct watcher {
    struct list entry;
    struct peer_link *link; // held
    enum role role;
};

struct keys_service {
    struct world *world;
    const struct config *config;
    uint32_t instance;
    struct fiber_group group;
    struct peer smtpds, submissions, report, control;
    struct metric metric;
    struct keys_store *store;
    struct list watchers;
    struct ticket_chain chain;
    bool tickets;  // there is a chain
    int64_t epoch; // that the watchers were told of
    struct arena arena;
};

// --- what there is

static void add_tickets(struct keys_service *s, enum role role, struct buf *to) {
    if (s->tickets && role != ROLE_REPORT)
        ticket_chain_keys(&s->chain, role == ROLE_SUBMISSION ? SLICE("submission") : SLICE("mx"), s->epoch, to);
}

static void wipe(struct buf *b) {
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

static void tell(struct keys_service *s, const struct watcher *w, uint64_t id) {
    struct buf tickets = {.max = 64 * MESSAGE_TICKET_KEY}, payload = {.max = SET_MAX};
    struct message_keys_set set;
    add_tickets(s, w->role, &tickets);
    if (keys_store_set(s->store, w->role, &s->arena, &set)) {
        set.tickets = buf_slice(&tickets);
        if (message_keys_set_pack(&payload, &set))
            link_send1(w->link->link, LINK_KEYS_SET, id, buf_slice(&payload));
        else
            journal_mark(s->world->journal, JOURNAL_ERROR, "certificates-too-large");
    }
    arena_reset(&s->arena);
    wipe(&tickets);
    wipe(&payload);
}

static void tell_all(struct keys_service *s) {
    LIST_EACH(at, &s->watchers) tell(s, LIST_ENTRY(at, struct watcher, entry), 0);
}

static void forget_gone(struct keys_service *s, bool all) {
    LIST_EACH(at, &s->watchers) {
        struct watcher *w = LIST_ENTRY(at, struct watcher, entry);
        if (!all && link_is_up(w->link->link))
            continue;
        list_remove(&w->entry);
        peer_drop(w->link);
        free(w);
    }
}

// --- tickets

// Whether another epoch has begun. The past of the chain that no ticket needs any more is forgotten.
static bool turn_tickets(struct keys_service *s) {
    if (!s->tickets)
        return false;
    int64_t epoch = ticket_epoch(world_wall(s->world), s->config->tls_ticket_life);
    if (epoch == s->epoch)
        return false;
    if (!ticket_chain_advance(&s->chain, epoch - TICKET_EPOCHS_BACK)) {
        s->tickets = false; // the clock jumped by years; master has a fresh secret for the next of us
        journal_mark(s->world->journal, JOURNAL_WARNING, "tickets-ended");
    }
    s->epoch = epoch;
    return true;
}

// --- signing

static void sign(struct keys_service *s, struct peer_link *from, const struct link_frame *frame, enum role asker) {
    BUF_AUTO struct buf signature = {.max = MESSAGE_KEYS_SIGNATURE_MAX};
    BUF_AUTO struct buf reply = {.max = 2 * MESSAGE_KEYS_SIGNATURE_MAX};
    struct message_keys_sign what;
    struct message_keys_signed answer = {0};
    struct err e;
    if (!message_keys_sign_unpack(frame->payload, &what)) {
        link_break(from->link, "a request that can't be read");
        return;
    }
    struct keys_source *source = keys_store_find(s->store, what.key);
    answer.ok = source && keys_store_serves(s->store, source, asker) &&
                keys_rules_allow(asker, source->purpose, &what) &&
                private_key_sign(keys_source_key(source, what.key), &what, &signature, &e);
    if (answer.ok)
        answer.signature = buf_slice(&signature);
    metric_add_at(&s->metric, METRIC_SIGNATURES, answer.ok ? METRIC_RESULT_OK : METRIC_RESULT_FAILED, 1);
    if (message_keys_signed_pack(&reply, &answer))
        link_send1(from->link, LINK_KEYS_SIGNED, frame->id, buf_slice(&reply));
}

static void watch(struct keys_service *s, struct peer_link *from, uint64_t id, enum role role) {
    struct watcher *w = MEM_NEW(struct watcher);
    *w = (struct watcher){.link = peer_hold(from), .role = role};
    list_append(&s->watchers, &w->entry);
    tell(s, w, id);
}

static void answer(struct keys_service *s, struct peer_link *from, const struct link_frame *frame, enum role asker) {
    if (frame->type == LINK_KEYS_SIGN)
        sign(s, from, frame, asker);
    else if (frame->type == LINK_KEYS_WATCH)
        watch(s, from, frame->id, asker);
    else
        link_break(from->link, "not for keys");
}

static void from_smtpd(void *service, struct peer_link *from, const struct link_frame *frame) {
    answer(service, from, frame, ROLE_SMTPD);
}

static void from_submission(void *service, struct peer_link *from, const struct link_frame *frame) {
    answer(service, from, frame, ROLE_SUBMISSION);
}

static void from_report(void *service, struct peer_link *from, const struct link_frame *frame) {
    answer(service, from, frame, ROLE_REPORT);
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct keys_service *s = service;
    int64_t left = s->instance == 0 ? keys_store_expiry(s->store, false) : INT64_MAX;
    metric_set(&s->metric, METRIC_CERTIFICATE_EXPIRY, left < INT64_MAX ? left * 1000000000 : 0);
    metrics_answer(&s->metric, s->world, from, frame);
}

// --- the service

struct keys_service *keys_new(struct world *w, const struct config *c, uint32_t instance, struct slice tickets) {
    struct keys_service *s = MEM_NEW(struct keys_service);
    *s = (struct keys_service){.world = w, .config = c, .instance = instance, .epoch = INT64_MIN};
    s->arena.max = ARENA_MAX;
    s->tickets = c->tls_ticket_life > 0 && ticket_chain_unpack(tickets, &s->chain);
    list_init(&s->watchers);
    fiber_group_init(&s->group, w->loop, "keys");
    s->smtpds = (struct peer){.group = &s->group, .handle = from_smtpd, .service = s};
    s->submissions = (struct peer){.group = &s->group, .handle = from_submission, .service = s};
    s->report = (struct peer){.group = &s->group, .handle = from_report, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    s->store = keys_store_new(w, c);
    metrics_begin(&s->metric, w);
    return s;
}

static void look(void *arg) {
    struct keys_service *s = arg;
    while (fiber_sleep(LOOK_MS)) {
        bool changed = keys_store_look(s->store, false);
        if (turn_tickets(s) || changed)
            tell_all(s);
        forget_gone(s, false);
        keys_store_expiry(s->store, s->instance == 0);
    }
    forget_gone(s, true);
}

bool keys_start(struct keys_service *s, struct err *e) {
    size_t wanted;
    private_key_protect(keys_store_most(s->store));
    keys_store_look(s->store, true);
    turn_tickets(s);
    keys_store_expiry(s->store, s->instance == 0);
    if (keys_store_certificates(s->store, &wanted) == 0 && wanted > 0)
        return err_set(e, ERR_PERMANENT, "no certificate can be used; the log says why");
    return fiber_spawn(&s->group, "look", look, s, e);
}

void keys_attach(struct keys_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_CONTROL      ? &s->control
                : peer == ROLE_SUBMISSION ? &s->submissions
                : peer == ROLE_REPORT     ? &s->report
                                          : &s->smtpds,
                link);
}

void keys_stop(struct keys_service *s) { fiber_group_cancel(&s->group); }
struct fiber_group *keys_fibers(struct keys_service *s) {
    return &s->group;
}

void keys_free(struct keys_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    forget_gone(s, true);
    keys_store_free(s->store);
    explicit_bzero(&s->chain, sizeof s->chain);
    arena_done(&s->arena);
    free(s);
}
