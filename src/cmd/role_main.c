// role_main: a child's life from --role to its end.
#include "cmd/role_main.h"

#include "base/mem.h"
#include "rt/disk/disk.h"
#include "rt/fiber/fiber.h"
#include "rt/disk/file.h"
#include "rt/jail/jail_roles.h"
#include "rt/journal.h"
#include "rt/link.h"
#include "rt/net_kernel.h"
#include "rt/process.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { TEXT_MAX = 1024 * 1024, PATHS_MAX = 4096 };

struct role_process {
    struct role_start start;
    const struct role_kind *kind;
    struct world world;
    struct journal journal;
    void *service;
    struct loop_fd channel;
    struct fiber_group group;
};

static char *copy(struct slice s) {
    char *p = mem_new(s.n + 1, 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

struct slice role_credential(const struct role_start *s, const char *name) {
    for (size_t i = 0; i < s->credentials_n; i++)
        if (!strcmp(s->credentials[i].name, name))
            return buf_slice(&s->credentials[i].bytes);
    return SLICE_EMPTY;
}

// --- what master hands over first

static bool take_start(struct role_start *s, const struct handover *h) {
    struct err e;
    s->role = h->role;
    s->instance = h->instance;
    s->path = copy(h->name);
    s->directory = copy(h->text);
    s->text.max = TEXT_MAX;
    bool ok = h->fd >= 0 && file_read_fd(h->fd, &s->text, &e);
    process_close(h->fd);
    return ok;
}

static bool take_credential(struct role_start *s, const struct handover *h) {
    if (s->credentials_n == ROLE_CREDENTIALS_MAX)
        return false;
    struct role_credential *c = &s->credentials[s->credentials_n++];
    c->name = copy(h->name);
    c->bytes.max = HANDOVER_MAX;
    return buf_add(&c->bytes, h->text);
}

static bool take_given(struct role_given *to, size_t *n, size_t max, const struct handover *h) {
    if (h->fd < 0 || *n == max)
        return false;
    to[(*n)++] = (struct role_given){.role = h->role, .instance = h->instance, .index = h->index, .fd = h->fd};
    return true;
}

static bool take(struct role_start *s, const struct handover *h) {
    switch (h->note) {
    case HANDOVER_START:
        return !s->path && take_start(s, h);
    case HANDOVER_CREDENTIAL:
        return take_credential(s, h);
    case HANDOVER_LISTEN:
        return take_given(s->listeners, &s->listeners_n, ROLE_LISTENERS_MAX, h);
    case HANDOVER_PEER:
        return take_given(s->peers, &s->peers_n, ROLE_PEERS_MAX, h);
    default:
        return false;
    }
}

// False when master has gone, or stops us before we began.
static bool take_all(struct role_start *s) {
    struct buf bytes = {.max = HANDOVER_MAX};
    struct handover h;
    bool whole = false, ok = true;
    while (ok && !whole) {
        ok = handover_receive(PROCESS_CHANNEL, true, &bytes, &h) == HANDOVER_GOT;
        whole = ok && h.note == HANDOVER_BEGIN;
        ok = whole || (ok && take(s, &h));
    }
    if (bytes.p)
        explicit_bzero(bytes.p, bytes.cap); // a key went through it
    buf_done(&bytes);
    return ok && s->path;
}

// --- making the service

static bool tell_master(enum handover_note note, const char *text) {
    struct err e;
    return handover_send(PROCESS_CHANNEL, &(struct handover){.note = note, .text = slice_str(text), .fd = -1}, &e);
}

static bool parse_config(struct role_start *s, struct err *e) {
    struct config_report report = {0};
    s->config = config_parse(buf_slice(&s->text), slice_str(s->directory), &report);
    config_report_done(&report);
    return s->config || err_set(e, ERR_BUG, "the configuration that master took can't be read");
}

static void open_journal(struct role_process *p) {
    bool json = p->start.config->log_format == CONFIG_LOG_JSON;
    journal_init_fd(&p->journal,
                    &(struct journal_setup){.role = role_name(p->start.role),
                                            .pid = process_self(),
                                            .format = json ? JOURNAL_JSON : JOURNAL_TEXT,
                                            .least = JOURNAL_INFO,
                                            .now = world_kernel_ops.wall},
                    STDERR_FILENO);
}

static void flush_journal(void *arg) { journal_flush(arg); }

static bool open_disk(struct role_process *p, struct err *e) {
    char *state = copy(p->start.config->state);
    bool wanted = p->kind->disk != ROLE_DISK_NONE;
    if (wanted)
        p->world.disk = disk_of_path(p->kind->disk == ROLE_DISK_STATE ? state : "/", e);
    free(state);
    return !wanted || p->world.disk;
}

static bool make_world(struct role_process *p, struct err *e) {
    struct loop *loop = loop_new(false);
    p->world = (struct world){.loop = loop, .journal = &p->journal, .ops = &world_kernel_ops};
    fiber_group_init(&p->group, loop, "handover");
    loop_on_idle(loop, flush_journal, &p->journal);
    if (p->kind->net)
        p->world.net = net_kernel_new(loop);
    if (!loop_fd_add(loop, &p->channel, PROCESS_CHANNEL))
        return err_sys(e, errno, "watching the channel to master");
    return open_disk(p, e);
}

static bool enter_jail(struct role_process *p, struct err *e) {
    ARENA_AUTO struct arena arena = {.max = 1024 * 1024};
    const struct config *c = p->start.config;
    struct jail_path *paths = mem_new(PATHS_MAX, sizeof *paths);
    struct jail jail = {.role = p->start.role,
                        .user = c->user.n ? arena_dup(&arena, c->user).p : NULL,
                        .paths = paths,
                        .paths_n = role_paths(p->start.role, c, &arena, paths, PATHS_MAX)};
    struct jail_report report;
    bool entered = jail_enter(&jail, &report, e);
    free(paths);
    if (!entered)
        return err_while(e, "confining %s", role_name(p->start.role));
    if (!report.landlock && jail_role(jail.role)->filtered)
        journal_mark(&p->journal, JOURNAL_WARNING, "no-landlock");
    return true;
}

static void attach(struct role_process *p, const struct role_given *peer) {
    struct transport *t = transport_of_fd(p->world.loop, peer->fd);
    if (t)
        p->kind->attach(p->service, link_new(p->world.loop, t, p->start.role, peer->role), peer->role, peer->instance);
    else
        process_close(peer->fd);
}

static bool listen_on(struct role_process *p, const struct role_given *given, struct err *e) {
    struct listener *l = p->kind->listen ? listener_of_fd(p->world.loop, given->fd) : NULL;
    if (!l)
        return err_sys(e, errno, "watching a listener");
    return p->kind->listen(p->service, l, given->index, e);
}

// The jail comes before anything that another process or a stranger wrote is looked at.
static bool set_up(struct role_process *p, struct err *e) {
    p->service = p->kind->make(&p->world, &p->start, e);
    if (!p->service || !enter_jail(p, e) || (p->kind->start && !p->kind->start(p->service, e)))
        return false;
    for (size_t i = 0; i < p->start.peers_n; i++)
        attach(p, &p->start.peers[i]);
    for (size_t i = 0; i < p->start.listeners_n; i++)
        if (!listen_on(p, &p->start.listeners[i], e))
            return false;
    return true;
}

// --- serving

static void stop(struct role_process *p) {
    p->kind->stop(p->service);
    if (p->kind->fibers)
        fiber_group_join(p->kind->fibers(p->service));
}

// False: nothing more is to come.
static bool hear(struct role_process *p, const struct handover *h) {
    switch (h->note) {
    case HANDOVER_PEER:
        attach(p, &(struct role_given){.role = h->role, .instance = h->instance, .fd = h->fd});
        return true;
    case HANDOVER_PING:
        return tell_master(HANDOVER_PONG, NULL);
    case HANDOVER_STOP:
        stop(p);
        return false;
    default:
        process_close(h->fd);
        return true;
    }
}

// Master is gone: so are we, at once, as the journal allows.
_Noreturn static void orphaned(struct role_process *p) {
    journal_flush(&p->journal);
    _exit(EX_UNAVAILABLE);
}

static void serve(void *arg) {
    struct role_process *p = arg;
    BUF_AUTO struct buf bytes = {.max = HANDOVER_MAX};
    struct handover h;
    bool more = true;
    p->channel.reader = fiber_self();
    while (more) {
        switch (handover_receive(PROCESS_CHANNEL, false, &bytes, &h)) {
        case HANDOVER_GOT:
            more = hear(p, &h);
            break;
        case HANDOVER_AGAIN:
            (void)fiber_park(MONO_NEVER);
            break;
        case HANDOVER_END:
            orphaned(p);
        }
    }
    loop_stop(p->world.loop);
}

static int fail(struct role_process *p, const struct err *e) {
    tell_master(HANDOVER_FAILED, e->text);
    journal_event(&p->journal, JOURNAL_ERROR, "not-started", JOURNAL_ERR(e));
    journal_flush(&p->journal);
    return EX_UNAVAILABLE;
}

static int run(struct role_process *p) {
    struct err e;
    if (!parse_config(&p->start, &e)) {
        tell_master(HANDOVER_FAILED, e.text);
        return EX_SOFTWARE;
    }
    open_journal(p);
    if (!make_world(p, &e) || !set_up(p, &e) || !fiber_spawn(&p->group, "handover", serve, p, &e))
        return fail(p, &e);
    if (!tell_master(HANDOVER_READY, NULL))
        return EX_UNAVAILABLE;
    loop_run(p->world.loop);
    p->kind->free(p->service);
    journal_done(&p->journal);
    return EX_OK;
}

static bool find_role(const char *name, enum role *out) {
    for (int r = 0; r < ROLE_COUNT; r++)
        if (!strcmp(role_name((enum role)r), name)) {
            *out = (enum role)r;
            return true;
        }
    return false;
}

int role_main(const char *name) {
    enum role role;
    if (!find_role(name, &role) || !role_kind(role))
        return EX_USAGE;
    if (!process_begin_child(role))
        return EX_UNAVAILABLE; // not started by master, or orphaned already
    struct role_process *p = MEM_NEW(struct role_process);
    p->kind = role_kind(role);
    if (!take_all(&p->start) || p->start.role != role)
        return EX_UNAVAILABLE;
    return run(p);
}
