// keys_client: links to the keys processes, the latest of what they said, and requests to whoever is least busy.
#include "svc/keys_client.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
    SIGN_MS = 5 * MS_SECOND,
    SET_MAX = LINK_PAYLOAD_MAX,
    ARENA_MAX = 4 * 1024 * 1024,
};

struct keys_instance {
    struct keys_client *client;
    struct peer peer;
    uint32_t open; // requests without an answer
};

struct keys_client {
    struct world *world;
    struct keys_instance *instances;
    uint32_t n;
    uint32_t turn; // where the search for the least busy begins, so that equals take turns
    struct fiber_cond changed;
    struct buf payload; // what `set` views
    struct arena arena;
    struct message_keys_set set;
    bool has_set;
    void (*on_set)(void *arg, const struct message_keys_set *set);
    void *on_set_arg;
};

// --- the set

static void take_set(struct keys_client *k, struct peer_link *from, struct slice payload) {
    if (k->has_set && slice_eq(payload, buf_slice(&k->payload)))
        return;
    buf_reset(&k->payload);
    arena_reset(&k->arena);
    k->has_set = buf_add(&k->payload, payload) && message_keys_set_unpack(buf_slice(&k->payload), &k->arena, &k->set);
    if (!k->has_set)
        link_break(from->link, "a set of keys that can't be read");
    else if (k->on_set)
        k->on_set(k->on_set_arg, &k->set);
}

static void handle(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct keys_instance *i = service;
    if (frame->type == LINK_KEYS_SET)
        take_set(i->client, from, frame->payload);
    else
        link_break(from->link, "not for who asks for signatures");
}

struct keys_client *keys_client_new(struct world *w, struct fiber_group *group, uint32_t instances) {
    struct keys_client *k = MEM_NEW(struct keys_client);
    *k = (struct keys_client){.world = w, .n = instances, .payload.max = SET_MAX, .arena.max = ARENA_MAX};
    k->instances = mem_new(instances + 1, sizeof *k->instances);
    for (uint32_t i = 0; i < instances; i++) {
        struct keys_instance *at = &k->instances[i];
        *at = (struct keys_instance){.client = k, .peer = {.group = group, .handle = handle, .service = at}};
    }
    return k;
}

void keys_client_free(struct keys_client *k) {
    if (!k)
        return;
    if (k->payload.p)
        explicit_bzero(k->payload.p, k->payload.cap); // ticket keys
    buf_done(&k->payload);
    arena_done(&k->arena);
    free(k->instances);
    free(k);
}

void keys_client_attach(struct keys_client *k, struct link *link, uint32_t instance) {
    if (instance >= k->n) {
        link_free(link);
        return;
    }
    peer_attach(&k->instances[instance].peer, link);
    link_send1(link, LINK_KEYS_WATCH, 1, SLICE_EMPTY);
    fiber_cond_wake_all(&k->changed);
}

void keys_client_on_set(struct keys_client *k, void (*changed)(void *arg, const struct message_keys_set *set),
                        void *arg) {
    k->on_set = changed;
    k->on_set_arg = arg;
}

const struct message_keys_set *keys_client_set(const struct keys_client *k) { return k->has_set ? &k->set : NULL; }

// --- signatures

// `tried`: a bit for each that has said no.
static struct keys_instance *least_busy(struct keys_client *k, uint64_t tried) {
    struct keys_instance *best = NULL;
    k->turn++;
    for (uint32_t n = 0; n < k->n; n++) {
        uint32_t at = (k->turn + n) % k->n;
        struct keys_instance *i = &k->instances[at];
        if (peer_is_up(&i->peer) && !(tried >> at & 1) && (!best || i->open < best->open))
            best = i;
    }
    return best;
}

static FIBER_FN bool wait_for_one(struct keys_client *k, struct mono deadline, struct err *e) {
    switch (fiber_cond_wait(&k->changed, deadline)) {
    case FIBER_WOKEN:
        return true;
    case FIBER_TIMEOUT:
        return err_set(e, ERR_TEMPORARY, "the keys process is not there");
    default:
        return err_set(e, ERR_CANCELLED, "stopped");
    }
}

enum answer { SIGNED, REFUSED, BROKEN, FAILED };

static enum answer understand(enum link_type type, struct slice payload, struct buf *out, struct err *e) {
    struct message_keys_signed m;
    if (type != LINK_KEYS_SIGNED || !message_keys_signed_unpack(payload, &m)) {
        err_set(e, ERR_BUG, "an answer of keys that can't be read");
        return FAILED;
    }
    if (!m.ok) {
        err_set(e, ERR_TEMPORARY, "keys has no such key, or doesn't sign so with it");
        return REFUSED;
    }
    return buf_add(out, m.signature) ? SIGNED : FAILED;
}

static FIBER_FN enum answer ask(struct keys_instance *i, struct slice payload, struct mono deadline, struct buf *out,
                                struct err *e) {
    BUF_AUTO struct buf reply = {.max = 2 * MESSAGE_KEYS_SIGNATURE_MAX};
    struct peer_link *l = peer_hold(i->peer.now);
    enum link_type type;
    i->open++;
    bool answered = link_call(l->link, LINK_KEYS_SIGN, &payload, 1, deadline, &type, &reply, e);
    bool broken = !link_is_up(l->link);
    i->open--;
    peer_drop(l);
    if (answered)
        return understand(type, buf_slice(&reply), out, e);
    return broken && e->kind == ERR_TEMPORARY ? BROKEN : FAILED;
}

bool keys_client_sign(struct keys_client *k, const struct message_keys_sign *what, struct buf *out, struct err *e) {
    BUF_AUTO struct buf payload = {.max = MESSAGE_KEYS_PURE_MAX + 64};
    struct mono deadline = loop_in_ms(k->world->loop, SIGN_MS);
    uint64_t refused = 0;
    if (!message_keys_sign_pack(&payload, what))
        return err_set(e, ERR_BUG, "too much to be signed");
    for (;;) {
        struct keys_instance *i = least_busy(k, refused);
        if (!i && refused)
            return false; // `e` is of the last who said no
        if (!i && !wait_for_one(k, deadline, e))
            return false;
        if (!i)
            continue;
        switch (ask(i, buf_slice(&payload), deadline, out, e)) {
        case SIGNED:
            return true;
        case REFUSED:
            refused |= (uint64_t)1 << (i - k->instances);
            break;
        case BROKEN:
            fiber_yield(); // its reader has to end
            break;
        case FAILED:
            return false;
        }
    }
}
