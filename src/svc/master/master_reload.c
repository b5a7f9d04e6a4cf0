// master_reload: a new configuration while mail flows. Whatever is wrong with it leaves the old one as it was.
//
// New processes start beside the old ones, which take nothing more and finish what they hold. Only those that write
// below the state directory can't be there twice: the queue, and policy with its store. They are replaced last, when
// the old workers have told the queue their outcomes.
#include "svc/master/master_inside.h"

#include "base/mem.h"
#include "rt/notify.h"

#include <stdlib.h>

static bool refuse(struct site *site, struct buf *mistakes, const char *what) {
    buf_addf(mistakes, "%s: \"%s\" can't change while the server runs: stop it and start it again\n", site->path, what);
    return false;
}

static bool acceptable(const struct master *m, struct site *site, struct buf *mistakes) {
    const struct config *now = m->site->config, *next = site->config;
    if (!slice_eq(now->state, next->state))
        return refuse(site, mistakes, "state");
    if (!slice_eq(now->control, next->control))
        return refuse(site, mistakes, "control");
    if (!slice_eq(now->user, next->user))
        return refuse(site, mistakes, "user");
    return true;
}

static bool read_new(struct master *m, struct site **out, struct master_listener **listeners) {
    struct buf *mistakes = &m->reload_mistakes;
    struct site *site;
    if (!site_load(m->site->path, &site, mistakes))
        return false;
    if (acceptable(m, site, mistakes) &&
        master_bind(m, site, m->listeners, m->site->config->listens_n, listeners, mistakes)) {
        *out = site;
        return true;
    }
    site_free(site);
    return false;
}

static void take_new(struct master *m, struct site *site, struct master_listener *listeners) {
    master_close_listeners(m->listeners, m->site->config->listens_n, listeners, site->config->listens_n);
    m->listeners = listeners;
    site_free(m->site);
    m->site = site;
    m->reloads++;
}

// The roles of which there is one at any time: they write files.
enum { ONCE = ROLE_BIT(QUEUE) | ROLE_BIT(POLICY) | ROLE_BIT(HISTORY) | ROLE_BIT(REPORT) };

// Who only answers: the old sessions and attempts ask the old ones until they have ended.
enum {
    ASKED = ROLE_BIT(KEYS) | ROLE_BIT(LOOKUP) | ROLE_BIT(RESOLVER) | ROLE_BIT(AUTH) | ROLE_BIT(PAM) | ROLE_BIT(FETCH) |
            ROLE_BIT(CONNECT)
};

// The same place in the new house, with its counts; the process that fills it moves over. One that only
// answers, and has no place any more, goes on for the old sessions.
static void move_slots(struct master *m) {
    struct master_slots old = m->slots;
    master_make_slots(m->site->config, &m->slots);
    for (size_t i = 0; i < old.n; i++) {
        struct master_slot *from = &old.slots[i], *to = NULL;
        for (size_t k = 0; k < m->slots.n && !to; k++)
            if (m->slots.slots[k].role == from->role && m->slots.slots[k].instance == from->instance)
                to = &m->slots.slots[k];
        if (to)
            *to = *from;
        else if (from->child && !(ASKED & (1u << from->role)))
            master_tell_stop(m, from->child);
    }
    free(old.slots);
}

static void replace(struct master *m, struct master_slot *slot) {
    if (ASKED & (1u << slot->role)) {
        slot->child = NULL; // goes on, in no slot
        slot->deaths = 0;
        master_start(m, slot);
    } else {
        master_replace(m, slot);
    }
}

static bool is_in_slot(const struct master *m, const struct master_child *child) {
    for (size_t i = 0; i < m->slots.n; i++)
        if (m->slots.slots[i].child == child)
            return true;
    return false;
}

static void replace_workers(struct master *m) {
    for (size_t i = 0; i < m->slots.n; i++)
        if (!(ONCE & (1u << m->slots.slots[i].role)))
            replace(m, &m->slots.slots[i]);
    master_await_end(m, ROLE_ANY & ~ONCE, MASTER_RETIRE_MS);
    LIST_EACH(at, &m->children) {
        struct master_child *child = LIST_ENTRY(at, struct master_child, entry);
        if (ASKED & (1u << child->role) && !is_in_slot(m, child))
            master_tell_stop(m, child);
    }
    master_await_end(m, ASKED, MASTER_GRACE_MS);
}

void master_reload(struct master *m) {
    struct site *site;
    struct master_listener *listeners;
    m->reload = false;
    notify_reloading();
    buf_reset(&m->reload_mistakes);
    bool ok = read_new(m, &site, &listeners);
    if (ok) {
        take_new(m, site, listeners);
        journal_event(m->journal, JOURNAL_INFO, "reloaded", JOURNAL_Z("configuration", m->site->path));
    } else {
        journal_event(m->journal, JOURNAL_ERROR, "reload-refused",
                      JOURNAL_STR("reason", buf_slice(&m->reload_mistakes)));
    }
    fiber_cond_wake_all(&m->reloaded);
    fiber_yield(); // the answer leaves by the old control
    master_tend(m);
    if (ok) {
        move_slots(m);
        replace_workers(m);
        if (!m->stopping) { // master_tend starts the new ones at once; history last: ending, it hears of nobody new
            master_end_roles(m, ONCE & ~ROLE_BIT(HISTORY), MASTER_GRACE_MS);
            master_end_roles(m, ROLE_BIT(HISTORY), MASTER_GRACE_MS);
        }
    }
    notify_systemd(ok ? "READY=1\nSTATUS=serving"
                      : "READY=1\nSTATUS=serving; the last reload was refused, see the log");
}
