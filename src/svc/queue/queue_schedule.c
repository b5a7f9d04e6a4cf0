// queue_schedule: destinations, their turns, their windows.
#include "svc/queue/queue_schedule.h"

#include "base/mem.h"
#include "base/num.h"

#include <assert.h>
#include <stdlib.h>

enum { NOTIFY_FIRST_MS = 5 * MS_SECOND };

static struct queue_destination *new_destination(struct queue_schedule *s, struct slice name, enum queue_target target,
                                                 struct slice host, uint16_t port) {
    static const enum role roles[] = {
        [QUEUE_TARGET_MX] = ROLE_RELAY,      [QUEUE_TARGET_HOST] = ROLE_RELAY, [QUEUE_TARGET_DELIVER] = ROLE_DELIVER,
        [QUEUE_TARGET_NOTIFY] = ROLE_INJECT, [QUEUE_TARGET_HOLD] = ROLE_RELAY, [QUEUE_TARGET_BAD] = ROLE_QUEUE};
    struct queue_destination *d = mem_new(1, sizeof *d + name.n + host.n);
    memcpy(d->text, name.p, name.n);
    if (host.n)
        memcpy(d->text + name.n, host.p, host.n);
    d->name = slice_of(d->text, name.n);
    d->host = slice_of(d->text + name.n, host.n);
    d->target = target;
    d->role = roles[target];
    d->port = port;
    list_init(&d->ready);
    plan_window_init(&d->window, s->config->queue.concurrency_first, s->config->queue.concurrency_most);
    map_set(&s->destinations, d->name, d);
    return d;
}

void queue_schedule_init(struct queue_schedule *s, const struct config *c, struct queue_index *x,
                         const struct world *w) {
    *s = (struct queue_schedule){.config = c, .index = x};
    world_random(w, &s->destinations.key, sizeof s->destinations.key);
    s->random.state = world_random_u64(w);
    list_init(&s->ring);
    for (size_t i = 0; i < ROLE_COUNT; i++)
        list_init(&s->waiting[i]);
    s->notify = new_destination(s, SLICE("notify"), QUEUE_TARGET_NOTIFY, SLICE_EMPTY, 0);
    s->notify->groups = 1; // stays
}

static void free_destination(struct queue_schedule *s, struct queue_destination *d) {
    assert(list_empty(&d->ready) && d->active == 0);
    list_remove(&d->turn);
    heap_remove(&s->backs, &d->back);
    map_remove(&s->destinations, d->name);
    queue_reason_put(s->index, d->reason);
    free(d);
}

void queue_schedule_done(struct queue_schedule *s) {
    struct queue_destination *d;
    for (size_t at = 0; (d = map_next(&s->destinations, &at));) {
        d->active = 0;
        list_init(&d->ready);
        free_destination(s, d);
    }
    map_done(&s->destinations);
    heap_done(&s->due);
    heap_done(&s->backs);
}

// --- finding

static struct queue_destination *destination_of(struct queue_schedule *s, const struct route *route,
                                                struct arena *arena) {
    static const enum queue_target targets[] = {[ROUTE_DELIVER] = QUEUE_TARGET_DELIVER,
                                                [ROUTE_MX] = QUEUE_TARGET_MX,
                                                [ROUTE_HOST] = QUEUE_TARGET_HOST,
                                                [ROUTE_HOLD] = QUEUE_TARGET_HOLD,
                                                [ROUTE_BAD] = QUEUE_TARGET_BAD};
    struct slice name = route_destination(arena, route);
    if (!name.p)
        name = SLICE("bad:");
    struct queue_destination *d = map_get(&s->destinations, name);
    struct slice host = route->kind == ROUTE_DELIVER ? route->domain->maildir : route->host;
    return d ? d : new_destination(s, name, targets[route->kind], host, route->port);
}

struct queue_destination *queue_schedule_find(struct queue_schedule *s, struct slice address, struct arena *arena) {
    struct route route = route_for(s->config, slice_from(address, slice_rfind(address, '@') + 1));
    return destination_of(s, &route, arena);
}

void queue_schedule_drop_unused(struct queue_schedule *s, struct queue_destination *d) {
    if (d->groups == 0 && d->active == 0)
        free_destination(s, d);
}

struct queue_destination *queue_schedule_released(struct queue_schedule *s, const struct queue_destination *held) {
    ARENA_AUTO struct arena arena = {.max = 4096};
    struct route route = route_released(s->config, held->host);
    return destination_of(s, &route, &arena);
}

// --- groups

void queue_schedule_assign(struct queue_group *g, struct queue_destination *d) {
    if (g->destination)
        g->destination->groups--;
    g->destination = d;
    if (d)
        d->groups++;
}

void queue_schedule_set_state(struct queue_schedule *s, struct queue_group *g, enum message_recipient_state state) {
    s->counts[g->state] -= g->open;
    s->counts[state] += g->open;
    g->state = (uint8_t)state;
}

void queue_schedule_close_recipient(struct queue_schedule *s, struct queue_group *g) {
    assert(g->open > 0);
    g->open--;
    s->counts[g->state]--;
}

static void leave_lists(struct queue_schedule *s, struct queue_group *g) {
    list_remove(&g->entry);
    heap_remove(&s->due, &g->due);
}

void queue_schedule_forget(struct queue_schedule *s, struct queue_group *g) {
    struct queue_destination *d = g->destination;
    leave_lists(s, g);
    queue_schedule_set_state(s, g, MESSAGE_RECIPIENT_DONE);
    queue_schedule_assign(g, NULL);
    if (d)
        queue_schedule_drop_unused(s, d);
}

// --- turns

static bool may_run(const struct queue_destination *d) {
    return !list_empty(&d->ready) && !d->blocked && d->active < plan_window_room(&d->window);
}

static void take_turn(struct queue_schedule *s, struct queue_destination *d) {
    if (may_run(d) && !list_linked(&d->turn))
        list_append(&s->ring, &d->turn);
}

void queue_schedule_ready(struct queue_schedule *s, struct queue_group *g, struct mono expires) {
    leave_lists(s, g);
    queue_schedule_set_state(s, g, MESSAGE_RECIPIENT_READY);
    list_append(&g->destination->ready, &g->entry);
    if (g->destination->blocked)
        heap_set(&s->due, &g->due, expires.ns);
    take_turn(s, g->destination);
}

void queue_schedule_defer(struct queue_schedule *s, struct queue_group *g, struct wall next, struct mono at) {
    leave_lists(s, g);
    g->next = next;
    queue_schedule_set_state(s, g, MESSAGE_RECIPIENT_DEFERRED);
    heap_set(&s->due, &g->due, at.ns);
}

// The last quarter of all attempts is for destinations that don't hold many yet: some slow ones can't take them all.
static bool role_has_room(const struct queue_schedule *s, const struct queue_destination *d, uint32_t limit) {
    uint32_t active = s->active[d->role];
    return active < limit && (active < limit - limit / 4 || d->active < s->config->queue.concurrency_first);
}

struct queue_group *queue_schedule_next(struct queue_schedule *s, uint32_t limit) {
    struct list *turn;
    while ((turn = list_shift(&s->ring))) {
        struct queue_destination *d = LIST_ENTRY(turn, struct queue_destination, turn);
        if (!may_run(d))
            continue; // comes back when that changes
        if (!role_has_room(s, d, limit)) {
            list_append(&s->waiting[d->role], &d->turn);
            continue;
        }
        struct queue_group *g = LIST_ENTRY(d->ready.next, struct queue_group, entry);
        leave_lists(s, g);
        queue_schedule_set_state(s, g, MESSAGE_RECIPIENT_ACTIVE);
        d->active++;
        s->active[d->role]++;
        take_turn(s, d);
        return g;
    }
    return NULL;
}

void queue_schedule_unstart(struct queue_schedule *s, struct queue_group *g) {
    struct queue_destination *d = g->destination;
    d->active--;
    s->active[d->role]--;
    queue_schedule_set_state(s, g, MESSAGE_RECIPIENT_READY);
    list_prepend(&d->ready, &g->entry);
    list_remove(&d->turn);
    list_append(&s->waiting[d->role], &d->turn);
}

void queue_schedule_resume(struct queue_schedule *s, enum role role, bool all) {
    struct list *turn;
    while ((turn = list_shift(&s->waiting[role]))) {
        struct queue_destination *d = LIST_ENTRY(turn, struct queue_destination, turn);
        if (!may_run(d))
            continue;
        take_turn(s, d);
        if (!all)
            break;
    }
}

// --- how it went

void queue_schedule_ended(struct queue_schedule *s, struct queue_group *g, enum message_site site) {
    struct queue_destination *d = g->destination;
    d->active--;
    s->active[d->role]--;
    if (site == MESSAGE_SITE_WORKED) {
        plan_window_worked(&d->window);
        d->backs = 0;
        queue_schedule_unblock(s, d);
    } else if (site == MESSAGE_SITE_FAILED) {
        plan_window_failed(&d->window);
    }
    take_turn(s, d);
    queue_schedule_resume(s, d->role, false);
}

void queue_schedule_block(struct queue_schedule *s, struct queue_destination *d, struct wall until, struct mono at) {
    d->blocked = true;
    d->backs++;
    d->back_at = until;
    heap_set(&s->backs, &d->back, at.ns);
}

void queue_schedule_unblock(struct queue_schedule *s, struct queue_destination *d) {
    d->blocked = false;
    heap_remove(&s->backs, &d->back);
    take_turn(s, d);
}

int64_t queue_schedule_wait(struct queue_schedule *s, const struct queue_destination *d, uint32_t attempts) {
    int64_t first = s->config->queue.retry_first, most = s->config->queue.retry_most;
    if (d == s->notify && first > NOTIFY_FIRST_MS) // our own process: it comes back soon
        first = NOTIFY_FIRST_MS;
    return plan_wait_ms(first, most, attempts, seed_next(&s->random));
}

struct mono queue_schedule_when(const struct queue_schedule *s) {
    struct heap_entry *due = heap_first(&s->due), *back = heap_first(&s->backs);
    return mono_earlier(due ? (struct mono){due->key} : MONO_NEVER, back ? (struct mono){back->key} : MONO_NEVER);
}
