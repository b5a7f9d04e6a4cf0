// relay_pool: kept connections by destination.
#include "svc/relay/relay_pool.h"

#include "base/mem.h"

#include <stdlib.h>

// A destination with at least one idle session.
struct place {
    struct list sessions; // the one used last first
    size_t n;
    struct slice name; // owned
};

static void on_timer(struct loop_timer *t);

void relay_pool_init(struct relay_pool *p, struct fiber_group *group, struct hash_key key) {
    *p = (struct relay_pool){.group = group, .places = {.key = key}, .timer = {.fire = on_timer}};
    list_init(&p->idle);
}

// Out of the pool; its destination is forgotten with its last session.
static struct relay_session *take_out(struct relay_pool *p, struct relay_session *s) {
    struct place *place = s->place;
    list_remove(&s->in_place);
    list_remove(&s->in_idle);
    p->n--;
    if (--place->n == 0) {
        map_remove(&p->places, place->name);
        free((char *)place->name.p);
        free(place);
    }
    s->place = NULL;
    return s;
}

void relay_pool_done(struct relay_pool *p) {
    loop_timer_stop(p->group->loop, &p->timer);
    while (!list_empty(&p->idle))
        relay_session_free(take_out(p, LIST_ENTRY(p->idle.next, struct relay_session, in_idle)));
    map_done(&p->places);
}

static void say_goodbye(void *arg) {
    struct relay_session *s = arg;
    relay_session_quit(s);
    relay_session_free(s);
}

void relay_pool_end(struct relay_pool *p, struct relay_session *s) {
    struct err e;
    if (s->broken || !fiber_spawn(p->group, "relay-quit", say_goodbye, s, &e))
        relay_session_free(s);
}

static void set_timer(struct relay_pool *p) {
    if (!list_empty(&p->idle)) {
        struct relay_session *first = LIST_ENTRY(p->idle.next, struct relay_session, in_idle);
        loop_timer_set(p->group->loop, &p->timer, mono_add_ms(first->idle_since, RELAY_POOL_IDLE_MS));
    }
}

static void on_timer(struct loop_timer *t) {
    struct relay_pool *p = LIST_ENTRY(t, struct relay_pool, timer);
    struct mono now = loop_now(p->group->loop);
    while (!list_empty(&p->idle)) {
        struct relay_session *s = LIST_ENTRY(p->idle.next, struct relay_session, in_idle);
        if (mono_before(now, mono_add_ms(s->idle_since, RELAY_POOL_IDLE_MS)))
            break;
        relay_pool_end(p, take_out(p, s));
    }
    set_timer(p);
}

struct relay_session *relay_pool_take(struct relay_pool *p, struct slice destination) {
    struct place *place;
    while ((place = map_get(&p->places, destination))) {
        struct relay_session *s = take_out(p, LIST_ENTRY(place->sessions.next, struct relay_session, in_place));
        if (relay_session_is_quiet(s))
            return s;
        relay_session_free(s);
    }
    return NULL;
}

static struct place *place_of(struct relay_pool *p, struct slice destination) {
    struct place *place = map_get(&p->places, destination);
    if (place)
        return place;
    place = MEM_NEW(struct place);
    list_init(&place->sessions);
    char *name = mem_new(destination.n + 1, 1);
    memcpy(name, destination.p, destination.n);
    place->name = slice_of(name, destination.n);
    map_set(&p->places, place->name, place);
    return place;
}

void relay_pool_give(struct relay_pool *p, struct slice destination, struct relay_session *s) {
    if (s->broken || p->closing || p->group->cancelled || s->messages >= RELAY_POOL_MESSAGES) {
        relay_pool_end(p, s);
        return;
    }
    if (p->n == RELAY_POOL_MAX)
        relay_pool_end(p, take_out(p, LIST_ENTRY(p->idle.next, struct relay_session, in_idle)));
    struct place *place = place_of(p, destination);
    s->place = place;
    s->idle_since = loop_now(p->group->loop);
    place->n++;
    p->n++;
    list_prepend(&place->sessions, &s->in_place);
    list_append(&p->idle, &s->in_idle);
    if (!heap_has(&p->timer.entry))
        set_timer(p);
}

void relay_pool_close(struct relay_pool *p) {
    p->closing = true;
    while (!list_empty(&p->idle))
        relay_pool_end(p, take_out(p, LIST_ENTRY(p->idle.next, struct relay_session, in_idle)));
    loop_timer_stop(p->group->loop, &p->timer);
}
