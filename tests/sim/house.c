// house: processes as values, wired by the topology that master uses.
#include "house.h"

#include "kept.h"
#include "mortal.h"

#include "base/mem.h"
#include "rt/journal.h"
#include "svc/deliver/deliver.h"
#include "svc/inject/inject.h"
#include "svc/lookup/lookup.h"
#include "svc/master/topology.h"
#include "svc/policy/policy.h"
#include "svc/queue/queue.h"
#include "svc/relay/relay.h"
#include "svc/resolver/resolver.h"
#include "svc/resolver/resolver_table.h"
#include "svc/smtpd/smtpd.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINK_CAPACITY = 200 * 1024, STOP_GRACE_MS = 5000 };

// One life of a process.
struct proc {
    struct list entry; // house.past, when it has ended: its flag is looked at by what is still on the way
    struct house *house;
    enum role role;
    bool dead;
    struct world world;
    struct journal journal;
    void *service;
};

struct house {
    struct house_setup setup;
    struct config *config;
    struct sim_disk *state, *mail;
    struct store *memory; // of policy
    struct proc *procs[ROLE_COUNT];
    struct list past;
    bool fell;
};

// --- the world of a process

static struct wall sim_wall(void *arg) {
    struct house *h = arg;
    static const int64_t begin_ms = 1795257675000; // 2026-11-21
    return (struct wall){begin_ms + loop_now(h->setup.loop).ns / 1000000 + *h->setup.clock_offset_ms};
}

static void sim_random(void *arg, void *to, size_t n) {
    struct house *h = arg;
    for (size_t i = 0; i < n; i++)
        ((char *)to)[i] = (char)seed_next(h->setup.seed);
}

static const struct world_ops sim_ops = {sim_wall, sim_random};

// Events with the fake time in front; the wall clock's column is left out.
static bool print_lines(void *arg, struct slice lines, size_t *taken) {
    struct house *h = arg;
    *taken = lines.n;
    while (lines.n) {
        struct slice line;
        slice_cut(lines, '\n', &line, &lines);
        printf("%10.3f %s %.*s\n", (double)loop_now(h->setup.loop).ns / 1e9, h->setup.name,
               SLICE_ARG(slice_from(line, 25)));
    }
    return true;
}

static void make_world(struct proc *p) {
    struct house *h = p->house;
    p->world = (struct world){.loop = h->setup.loop, .ops = &sim_ops, .ops_arg = h};
    if (p->role == ROLE_SMTPD || p->role == ROLE_RELAY)
        p->world.net = sim_net_port(h->setup.net, &h->setup.ip);
    if (p->role == ROLE_QUEUE)
        p->world.disk = sim_disk_mount(h->state);
    if (p->role == ROLE_DELIVER || p->role == ROLE_LOOKUP)
        p->world.disk = sim_disk_mount(h->mail);
    if (!h->setup.trace)
        return;
    struct journal_setup setup = {
        .role = role_name(p->role), .format = JOURNAL_TEXT, .least = JOURNAL_DEBUG, .now = sim_wall, .now_arg = h};
    journal_init(&p->journal, &setup, (struct journal_sink){print_lines, h});
    p->world.journal = &p->journal;
}

// --- services

static struct resolver_backend *make_dns(struct house *h) {
    struct resolver_table *t = resolver_table_new(h->setup.loop);
    for (const char *const *line = h->setup.dns; *line; line++)
        if (!resolver_table_add(t, slice_str(*line)))
            fprintf(stderr, "sim: bad DNS line: %s\n", *line);
    return resolver_table_backend(t);
}

static bool make_service(struct proc *p, struct err *e) {
    struct house *h = p->house;
    switch (p->role) {
    case ROLE_SMTPD:
        p->service = smtpd_new(&p->world, h->config, p->role);
        return true;
    case ROLE_QUEUE:
        p->service = queue_new(&p->world, h->config);
        return queue_start(p->service, e);
    case ROLE_RELAY:
        p->service = relay_new(&p->world, h->config);
        return true;
    case ROLE_DELIVER:
        p->service = deliver_new(&p->world, h->config);
        return true;
    case ROLE_INJECT:
        p->service = inject_new(&p->world, h->config);
        return true;
    case ROLE_RESOLVER:
        p->service = resolver_new(&p->world, make_dns(h));
        return true;
    case ROLE_POLICY:
        p->service = policy_new(&p->world, h->config);
        return policy_start(p->service, kept_lend(h->memory, &p->dead), NULL, e);
    default:
        p->service = lookup_new(&p->world, h->config);
        return true;
    }
}

static void attach(struct proc *p, struct link *link, enum role peer) {
    switch (p->role) {
    case ROLE_SMTPD:
        smtpd_attach(p->service, link, peer, 0);
        break;
    case ROLE_QUEUE:
        queue_attach(p->service, link, peer);
        break;
    case ROLE_RELAY:
        relay_attach(p->service, link, peer);
        break;
    case ROLE_DELIVER:
        deliver_attach(p->service, link, peer);
        break;
    case ROLE_INJECT:
        inject_attach(p->service, link, peer);
        break;
    case ROLE_RESOLVER:
        resolver_attach(p->service, link, peer);
        break;
    case ROLE_POLICY:
        policy_attach(p->service, link, peer);
        break;
    default:
        lookup_attach(p->service, link, peer);
        break;
    }
}

static struct fiber_group *fibers(struct proc *p) {
    switch (p->role) {
    case ROLE_QUEUE:
        return queue_fibers(p->service);
    case ROLE_RELAY:
        return relay_fibers(p->service);
    case ROLE_DELIVER:
        return deliver_fibers(p->service);
    case ROLE_INJECT:
        return inject_fibers(p->service);
    case ROLE_RESOLVER:
        return resolver_fibers(p->service);
    case ROLE_POLICY:
        return policy_fibers(p->service);
    case ROLE_LOOKUP:
        return lookup_fibers(p->service);
    default:
        return NULL; // smtpd_close does it
    }
}

static void stop_service(struct proc *p) {
    switch (p->role) {
    case ROLE_SMTPD:
        smtpd_stop(p->service);
        break;
    case ROLE_QUEUE:
        queue_stop(p->service);
        break;
    case ROLE_RELAY:
        relay_stop(p->service);
        break;
    case ROLE_DELIVER:
        deliver_stop(p->service);
        break;
    case ROLE_INJECT:
        inject_stop(p->service);
        break;
    case ROLE_RESOLVER:
        resolver_stop(p->service);
        break;
    case ROLE_POLICY:
        policy_stop(p->service);
        break;
    default:
        lookup_stop(p->service);
        break;
    }
}

static void free_service(struct proc *p) {
    switch (p->role) {
    case ROLE_SMTPD:
        smtpd_free(p->service);
        break;
    case ROLE_QUEUE:
        queue_free(p->service);
        break;
    case ROLE_RELAY:
        relay_free(p->service);
        break;
    case ROLE_DELIVER:
        deliver_free(p->service);
        break;
    case ROLE_INJECT:
        inject_free(p->service);
        break;
    case ROLE_RESOLVER:
        resolver_free(p->service);
        break;
    case ROLE_POLICY:
        policy_free(p->service);
        break;
    default:
        lookup_free(p->service);
        break;
    }
}

// --- lives of processes

static void wire(struct proc *a, struct proc *b) {
    struct transport *to_a, *to_b;
    transport_pair(LINK_CAPACITY, &to_a, &to_b);
    struct loop *loop = a->house->setup.loop;
    attach(a, link_new(loop, mortal_new(to_a, &a->dead), a->role, b->role), b->role);
    attach(b, link_new(loop, mortal_new(to_b, &b->dead), b->role, a->role), a->role);
}

static void bury(struct proc *p) {
    struct house *h = p->house;
    free_service(p);
    if (p->world.net)
        sim_net_port_free(p->world.net);
    if (p->world.disk)
        sim_disk_unmount(p->world.disk);
    if (p->world.journal)
        journal_done(p->world.journal);
    p->service = NULL;
    h->procs[p->role] = NULL;
    list_append(&h->past, &p->entry);
}

static FIBER_FN void end_fibers(struct proc *p) {
    if (p->role == ROLE_SMTPD) {
        smtpd_close(p->service);
        return;
    }
    fiber_group_cancel(fibers(p));
    fiber_group_join(fibers(p));
}

static FIBER_FN void end_process(struct proc *p) {
    p->dead = true;
    if (p->world.net)
        sim_net_kill(p->world.net);
    if (p->world.disk)
        sim_disk_kill(p->world.disk);
    end_fibers(p);
    bury(p);
}

static bool start_process(struct house *h, enum role role, struct err *e) {
    struct proc *p = MEM_NEW(struct proc);
    p->house = h;
    p->role = role;
    make_world(p);
    h->procs[role] = p;
    if (!make_service(p, e)) {
        end_process(p);
        return false;
    }
    for (enum role peer = 0; peer < ROLE_COUNT; peer++)
        if (peer != role && h->procs[peer] && topology_linked(role, peer))
            wire(p, h->procs[peer]);
    if (role == ROLE_SMTPD)
        smtpd_listen(p->service, sim_net_listen(p->world.net, 25), NULL);
    return true;
}

bool house_up(struct house *h, struct err *e) {
    for (size_t i = 0; i < TOPOLOGY_ROLES; i++) {
        enum role role = topology_order[i];
        if (role != ROLE_CONTROL && topology_instances(h->config, role) && !h->procs[role] &&
            !start_process(h, role, e))
            return false;
    }
    return true;
}

void house_kill(struct house *h, enum role role) {
    if (h->procs[role])
        end_process(h->procs[role]);
}

static void fall(void *arg) {
    struct house *h = arg;
    h->fell = true;
    for (enum role role = 0; role < ROLE_COUNT; role++)
        if (h->procs[role]) {
            h->procs[role]->dead = true;
            if (h->procs[role]->world.net)
                sim_net_kill(h->procs[role]->world.net);
        }
}

void house_fall_at(struct house *h, bool mail, uint64_t operations) {
    sim_disk_fall_at(mail ? h->mail : h->state, operations, fall, h);
}

bool house_fell(const struct house *h) { return h->fell; }

void house_crash(struct house *h) {
    h->fell = false;
    house_fall_at(h, false, 0);
    house_fall_at(h, true, 0);
    for (enum role role = 0; role < ROLE_COUNT; role++) // all at once: nobody notices the others' end
        if (h->procs[role]) {
            h->procs[role]->dead = true;
            if (h->procs[role]->world.disk)
                sim_disk_kill(h->procs[role]->world.disk);
        }
    for (enum role role = 0; role < ROLE_COUNT; role++)
        house_kill(h, role);
    sim_disk_crash(h->state);
    sim_disk_crash(h->mail);
}

void house_stop(struct house *h) {
    static const enum role order[] = {ROLE_SMTPD,  ROLE_RELAY,    ROLE_DELIVER, ROLE_INJECT,
                                      ROLE_LOOKUP, ROLE_RESOLVER, ROLE_POLICY,  ROLE_QUEUE};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (!h->procs[order[i]])
            continue;
        stop_service(h->procs[order[i]]);
        fiber_sleep(order[i] == ROLE_SMTPD || order[i] == ROLE_RELAY ? STOP_GRACE_MS : 100);
        end_fibers(h->procs[order[i]]);
        bury(h->procs[order[i]]);
    }
}

struct house *house_new(const struct house_setup *setup) {
    struct config_report report = {0};
    struct config *c = config_parse(slice_str(setup->configuration), SLICE("/"), &report);
    if (!c) {
        for (size_t i = 0; i < report.n; i++)
            fprintf(stderr, "sim: configuration:%u: %.*s\n", report.mistakes[i].place.line,
                    SLICE_ARG(report.mistakes[i].text));
        exit(2);
    }
    config_report_done(&report);
    struct house *h = MEM_NEW(struct house);
    *h = (struct house){.setup = *setup, .config = c};
    h->state = sim_disk_new(setup->seed);
    h->mail = sim_disk_new(setup->seed);
    h->memory = store_memory_new();
    list_init(&h->past);
    return h;
}

void house_free(struct house *h) {
    for (struct list *at = list_shift(&h->past); at; at = list_shift(&h->past))
        free(LIST_ENTRY(at, struct proc, entry));
    sim_disk_free(h->state);
    sim_disk_free(h->mail);
    store_free(h->memory);
    config_free(h->config);
    free(h);
}

void house_flush(struct house *h) {
    for (enum role role = 0; role < ROLE_COUNT; role++)
        if (h->procs[role] && h->procs[role]->world.journal)
            journal_flush(h->procs[role]->world.journal);
}

struct sim_disk *house_state_disk(struct house *h) {
    return h->state;
}
struct sim_disk *house_mail_disk(struct house *h) {
    return h->mail;
}
