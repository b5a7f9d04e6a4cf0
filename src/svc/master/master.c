// master: start, serve, stop; the rest is in master_*.c.
#include "svc/master/master_inside.h"

#include "base/mem.h"
#include "rt/disk/file.h"
#include "rt/notify.h"
#include "rt/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { STANDARD_ERROR = 2 };

// All of these roles (ROLE_BIT).
static bool all_ready(const struct master *m, uint32_t roles) {
    for (size_t i = 0; i < m->slots.n; i++) {
        const struct master_slot *slot = &m->slots.slots[i];
        if ((roles & 1u << slot->role) && (!slot->child || slot->child->state != MASTER_READY))
            return false;
    }
    return true;
}

static void start_all(struct master *m) {
    for (size_t i = 0; i < m->slots.n; i++)
        master_start(m, &m->slots.slots[i]);
    master_tend(m);
    while (!all_ready(m, ROLE_ANY & ~ROLE_SESSIONS) && !m->stopping)
        master_wait(m, MONO_NEVER);
    master_open(m);
    while (!all_ready(m, ROLE_ANY) && !m->stopping)
        master_wait(m, MONO_NEVER);
}

// A socket that systemd holds and nobody serves would take connections that hang.
static void report_unused(struct master *m) {
    for (size_t i = 0; i < m->given.n; i++) {
        BUF_AUTO struct buf at = {.max = 100};
        if (m->given.sockets[i].used)
            continue;
        netaddr_add_endpoint(&at, &m->given.sockets[i].at);
        journal_event(m->journal, JOURNAL_WARNING, "socket-not-used", JOURNAL_STR("address", buf_slice(&at)),
                      JOURNAL_Z("reason", "systemd gave it, and no \"listen\" names this address and port"));
    }
}

static void announce(struct master *m) {
    const struct config *c = m->site->config;
    BUF_AUTO struct buf line = {.max = 4096};
    buf_addf(&line, "posthouse %s ready: ", m->setup->version);
    for (size_t i = 0; i < c->listens_n; i++) {
        if (i)
            buf_add_str(&line, ", ");
        master_listen_text(&c->listens[i], &line);
    }
    buf_add_char(&line, '\0');
    journal_event(m->journal, JOURNAL_INFO, "ready", JOURNAL_Z("version", m->setup->version),
                  JOURNAL_Z("configuration", m->site->path), JOURNAL_UINT("processes", m->slots.n),
                  JOURNAL_MS("after", mono_ms_between(m->started, loop_now(m->loop))));
    if (!line.failed)
        m->setup->say(line.p);
    report_unused(m);
    notify_systemd("READY=1\nSTATUS=serving");
}

// Whether other processes hang is watched by master itself: what systemd needs to know is that master turns.
static void feed_watchdog(void *arg) {
    int64_t ms = notify_watchdog_ms();
    (void)arg;
    if (ms)
        do
            notify_systemd("WATCHDOG=1");
        while (fiber_sleep(ms));
}

static void serve(struct master *m) {
    m->up = true;
    announce(m);
    while (!m->stopping) {
        if (m->reload)
            master_reload(m);
        else
            master_wait(m, MONO_NEVER);
    }
}

// Nothing new comes in, attempts end, then the queue writes what it still knows, then those whom the others ask.
static void stop_all(struct master *m) {
    journal_mark(m->journal, JOURNAL_INFO, "stopping");
    notify_systemd("STOPPING=1");
    for (size_t i = 0; i < m->site->config->listens_n; i++) {
        process_close(m->listeners[i].fd);
        m->listeners[i].fd = -1;
    }
    int64_t grace = m->failed ? 0 : MASTER_GRACE_MS;
    master_end_roles(m, ROLE_SESSIONS | ROLE_WORKERS, grace);
    master_end_roles(m, ROLE_BIT(QUEUE), grace);
    master_end_roles(m, ROLE_ANY, m->failed ? 0 : MASTER_LAST_GRACE_MS);
}

static void master_main(void *arg) {
    struct master *m = arg;
    start_all(m);
    if (!m->stopping)
        serve(m);
    stop_all(m);
    journal_mark(m->journal, JOURNAL_INFO, "stopped");
    fiber_group_cancel(&m->group);
    fiber_group_join(&m->group);
    loop_stop(m->loop);
}

static void flush_journal(void *arg) { journal_flush(arg); }

static struct wall wall_now(void *arg) { return world_kernel_ops.wall(arg); }

static bool run_loop(struct master *m, struct err *e) {
    struct journal journal;
    journal_init_fd(
        &journal,
        &(struct journal_setup){.role = role_name(ROLE_MASTER),
                                .pid = process_self(),
                                .format = m->site->config->log_format == CONFIG_LOG_JSON ? JOURNAL_JSON : JOURNAL_TEXT,
                                .least = JOURNAL_INFO,
                                .now = wall_now},
        STANDARD_ERROR);
    m->journal = &journal;
    m->loop = loop_new(false);
    m->started = loop_now(m->loop);
    fiber_group_init(&m->group, m->loop, "master");
    loop_on_idle(m->loop, flush_journal, &journal);
    bool ok = signals_open(&m->signals, m->loop, &m->wake, e);
    if (ok && (ok = fiber_spawn(&m->group, "master", master_main, m, e) &&
                    fiber_spawn(&m->group, "tables", master_watch_tables, m, e) &&
                    fiber_spawn(&m->group, "pulse", master_watch_pulse, m, e) &&
                    fiber_spawn(&m->group, "tickets", master_watch_tickets, m, e) &&
                    fiber_spawn(&m->group, "watchdog", feed_watchdog, m, e)))
        loop_run(m->loop);
    journal_done(&journal);
    loop_free(m->loop);
    return ok;
}

static void release(struct master *m) {
    if (m->listeners)
        master_close_listeners(m->listeners, m->site->config->listens_n, NULL, 0);
    if (m->control >= 0) {
        char path[4096];
        snprintf(path, sizeof path, "%.*s", SLICE_ARG(m->site->config->control));
        file_remove_socket(path);
        process_close(m->control);
    }
    process_close(m->lock); // last: nobody else may start before
    buf_done(&m->reload_mistakes);
    free(m->slots.slots);
    site_free(m->site);
}

int master_run(const struct master_setup *setup, struct buf *why) {
    struct master m = {.setup = setup, .site = setup->site, .lock = -1, .control = -1, .why = why};
    m.reload_mistakes.max = SITE_MISTAKES_MAX;
    list_init(&m.children);
    activation_take(&m.given);
    process_raise_descriptors();
    int code = EX_OK;
    if (master_prepare(&m, why, &code)) {
        struct err e;
        master_make_slots(m.site->config, &m.slots);
        bool ran = run_loop(&m, &e);
        if (!ran)
            buf_add_str(why, e.text);
        code = ran ? EX_OK : EX_OSERR;
        code = m.failed ? EX_UNAVAILABLE : code;
    }
    release(&m);
    return code;
}
