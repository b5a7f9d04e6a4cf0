// auth_turns: a ring of networks, each with its queue.
#include "svc/auth/auth_turns.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { V4_BYTES = 3, V6_BYTES = 6 }; // that name a network

struct network {
    struct list entry;
    enum netaddr_family family;
    uint8_t prefix[V6_BYTES];
    struct list waiters;
    size_t n;
};

struct waiter {
    struct list entry;
    struct fiber *fiber;
    bool served;
};

void auth_turns_init(struct auth_turns *t, size_t at_once) {
    *t = (struct auth_turns){.at_once = at_once};
    list_init(&t->networks);
}

static size_t prefix_size(const struct netaddr *a) { return a->family == NETADDR_V4 ? V4_BYTES : V6_BYTES; }

static struct network *find(struct auth_turns *t, const struct netaddr *client) {
    LIST_EACH(at, &t->networks) {
        struct network *n = LIST_ENTRY(at, struct network, entry);
        if (n->family == client->family && memcmp(n->prefix, client->ip, prefix_size(client)) == 0)
            return n;
    }
    return NULL;
}

static struct network *add(struct auth_turns *t, const struct netaddr *client) {
    struct network *n = MEM_NEW(struct network);
    n->family = client->family;
    memcpy(n->prefix, client->ip, prefix_size(client));
    list_init(&n->waiters);
    list_append(&t->networks, &n->entry);
    return n;
}

static void forget(struct network *n) {
    if (n->n)
        return;
    list_remove(&n->entry);
    free(n);
}

// Out of the queue without having been served.
static void leave(struct auth_turns *t, struct network *n, struct waiter *w) {
    list_remove(&w->entry);
    t->waiting--;
    n->n--;
    forget(n);
}

static FIBER_FN bool wait_for_turn(struct auth_turns *t, struct network *n, struct mono deadline, struct err *e) {
    struct waiter w = {.fiber = fiber_self()};
    list_append(&n->waiters, &w.entry);
    t->waiting++;
    n->n++;
    bool ok = true;
    while (ok && !w.served)
        ok = fiber_park_err(deadline, "waiting for a turn", e);
    if (ok)
        return true;
    if (w.served)
        auth_turns_give(t); // just then it was our turn
    else
        leave(t, n, &w);
    return false;
}

bool auth_turns_take(struct auth_turns *t, const struct netaddr *client, struct mono deadline, struct err *e) {
    if (t->busy < t->at_once) {
        t->busy++;
        return true;
    }
    struct network *n = find(t, client);
    if (t->waiting >= AUTH_TURNS_ALL || (n && n->n >= AUTH_TURNS_NETWORK))
        return err_set(e, ERR_TEMPORARY, "too many log-ins wait%s", n ? " of this network" : "");
    return wait_for_turn(t, n ? n : add(t, client), deadline, e);
}

void auth_turns_give(struct auth_turns *t) {
    struct list *first = list_shift(&t->networks);
    assert(t->busy > 0);
    if (!first) {
        t->busy--;
        return;
    }
    struct network *n = LIST_ENTRY(first, struct network, entry);
    struct waiter *w = LIST_ENTRY(list_shift(&n->waiters), struct waiter, entry);
    list_append(&t->networks, first);
    t->waiting--;
    n->n--;
    forget(n);
    w->served = true;
    fiber_wake(w->fiber);
}
