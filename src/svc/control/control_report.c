// control_report: asks every process at once, and writes what they say for Prometheus, for the command line, and for
// whoever wants to know whether all is well.
#include "svc/control/control_inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct question {
    struct control *control;
    struct control_peer *to;
    struct control_report *report;
    size_t place; // in report->processes
};

static void describe(struct control *c, struct metric_process *p, enum role role, uint32_t instance, bool up) {
    control_name(c, role, instance, p->name);
    metric_set(&p->values, METRIC_PROCESS_UP, up);
}

static void ask_master(struct question *q, struct mono deadline) {
    BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
    enum link_type type;
    struct err e;
    struct control_report *r = q->report;
    if (!peer_call(&q->to->peer, LINK_MASTER_STATUS, SLICE_EMPTY, deadline, &type, &reply, &e))
        return;
    struct slice kept = arena_dup(&r->arena, buf_slice(&reply));
    r->master = kept.p && master_status_unpack(kept, &r->arena, &r->status);
    struct metric *m = &r->processes[q->place].values;
    uint64_t restarts = 0;
    for (size_t i = 0; r->master && i < r->status.processes_n; i++)
        restarts += r->status.processes[i].restarts;
    metric_set(m, METRIC_PROCESS_UP, r->master);
    metric_set(m, METRIC_RESTARTS, (int64_t)restarts);
}

static void ask_metrics(struct question *q, struct mono deadline) {
    BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
    enum link_type type;
    struct err e;
    if (!peer_call(&q->to->peer, LINK_METRICS, SLICE_EMPTY, deadline, &type, &reply, &e) ||
        !metric_unpack(buf_slice(&reply), &q->to->last, &e))
        return;
    q->to->answered = true;
    struct metric_process *p = &q->report->processes[q->place];
    p->values = q->to->last;
    metric_set(&p->values, METRIC_PROCESS_UP, 1);
    if (q->to->role == ROLE_QUEUE) {
        q->report->queue = true;
        q->report->queue_metric = &p->values;
    }
}

static void ask(void *arg) {
    struct question *q = arg;
    struct mono deadline = loop_in_ms(q->control->world->loop, CONTROL_ASK_MS);
    if (q->to->role == ROLE_MASTER)
        ask_master(q, deadline);
    else
        ask_metrics(q, deadline);
}

static void describe_ourselves(struct control *c, struct metric_process *p) {
    struct loop *loop = c->world->loop;
    metric_observe_process(&c->own);
    metric_set(&c->own, METRIC_PROCESS_FIBERS, (int64_t)loop_fibers(loop));
    metric_set(&c->own, METRIC_PROCESS_TURN, loop_longest_turn_ms(loop) * 1000000);
    metric_set(&c->own, METRIC_PROCESS_START, c->started.ms * 1000000);
    metric_set(&c->own, METRIC_JOURNAL_LINES, (int64_t)c->world->journal->written);
    metric_set(&c->own, METRIC_JOURNAL_DROPPED, (int64_t)c->world->journal->dropped);
    p->values = c->own;
    describe(c, p, ROLE_CONTROL, 0, true);
}

void control_report_make(struct control *c, struct control_report *out) {
    *out = (struct control_report){.arena.max = CONTROL_REPLY_MAX};
    out->processes = mem_new(c->peers_n + 1, sizeof *out->processes);
    struct question *questions = mem_new(c->peers_n + 1, sizeof *questions);
    struct fiber_group asking;
    struct err e;
    size_t n = 0;
    fiber_group_init(&asking, c->world->loop, "control questions");
    LIST_EACH(at, &c->peers) {
        struct control_peer *p = LIST_ENTRY(at, struct control_peer, entry);
        questions[n] = (struct question){.control = c, .to = p, .report = out, .place = n};
        describe(c, &out->processes[n], p->role, p->instance, false);
        (void)!fiber_spawn(&asking, "control question", ask, &questions[n], &e); // none: it counts as silent
        n++;
    }
    fiber_group_join(&asking);
    free(questions);
    describe_ourselves(c, &out->processes[n++]);
    out->processes_n = n;
}

void control_report_done(struct control_report *r) {
    free(r->processes);
    arena_done(&r->arena);
}

const struct metric *control_report_of(const struct control *c, const struct control_report *r, enum role role,
                                       uint32_t instance) {
    char name[24];
    control_name(c, role, instance, name);
    for (size_t i = 0; i < r->processes_n; i++)
        if (!strcmp(r->processes[i].name, name) && r->processes[i].values.v[metric_slot(METRIC_PROCESS_UP, 0)])
            return &r->processes[i].values;
    return NULL;
}

bool control_report_metrics(struct control *c, const struct control_report *r, struct buf *out) {
    return metric_render(r->processes, r->processes_n, &c->gone, slice_str(c->version), out);
}

// --- JSON

static void put_process(struct control *c, const struct control_report *r, const struct master_status_process *p,
                        struct json *j) {
    char name[24];
    control_name(c, p->role, p->instance, name);
    const struct metric *m = control_report_of(c, r, p->role, p->instance);
    json_open_object(j);
    json_put_str(j, "name", name);
    json_put_str(j, "role", role_name(p->role));
    json_put_u64(j, "instance", p->instance);
    json_put_str(j, "state", master_state_name(p->state));
    json_put_i64(j, "pid", p->pid);
    json_put_i64(j, "uptime_seconds", p->uptime_ms / 1000);
    json_put_u64(j, "restarts", p->restarts);
    json_put_bool(j, "answers", m != NULL);
    if ((p->role == ROLE_SMTPD || p->role == ROLE_SUBMISSION) && m)
        json_put_u64(j, "sessions", m->v[metric_slot(METRIC_SESSIONS_OPEN, 0)]);
    json_end(j);
}

static void put_queue(const struct metric *m, struct json *j) {
    json_key(j, "queue");
    if (!m) {
        json_nothing(j);
        return;
    }
    json_open_object(j);
    json_put_u64(j, "messages", m->v[metric_slot(METRIC_QUEUE_MESSAGES, 0)]);
    json_put_u64(j, "active", m->v[metric_slot(METRIC_QUEUE_RECIPIENTS, METRIC_STATE_ACTIVE)]);
    json_put_u64(j, "ready", m->v[metric_slot(METRIC_QUEUE_RECIPIENTS, METRIC_STATE_READY)]);
    json_put_u64(j, "deferred", m->v[metric_slot(METRIC_QUEUE_RECIPIENTS, METRIC_STATE_DEFERRED)]);
    json_put_u64(j, "held", m->v[metric_slot(METRIC_QUEUE_RECIPIENTS, METRIC_STATE_HELD)]);
    json_put_u64(j, "bytes", m->v[metric_slot(METRIC_QUEUE_BYTES, 0)]);
    json_end(j);
}

static void put_master(const struct control_report *r, struct json *j) {
    json_put_i64(j, "pid", r->status.pid);
    json_put_i64(j, "uptime_seconds", r->status.uptime_ms / 1000);
    json_put_u64(j, "reloads", r->status.reloads);
    json_put_slice(j, "configuration", r->status.path);
    json_key(j, "listeners");
    json_open_array(j);
    for (size_t i = 0; i < r->status.listens_n; i++)
        json_slice(j, r->status.listens[i]);
    json_end(j);
}

void control_report_status(struct control *c, const struct control_report *r, struct buf *out) {
    struct json j = {.out = out};
    json_open_object(&j);
    json_put_bool(&j, "ok", true);
    json_put_str(&j, "version", c->version);
    json_put_slice(&j, "hostname", c->config->hostname);
    put_master(r, &j);
    json_key(&j, "processes");
    json_open_array(&j);
    for (size_t i = 0; i < r->status.processes_n; i++)
        put_process(c, r, &r->status.processes[i], &j);
    json_end(&j);
    put_queue(r->queue_metric, &j);
    json_end(&j);
}

bool control_report_health(struct control *c, const struct control_report *r, struct buf *out) {
    bool ready = r->master;
    for (size_t i = 0; i < r->status.processes_n; i++)
        ready &= r->status.processes[i].state == MASTER_READY || r->status.processes[i].state == MASTER_STOPPING;
    bool room = r->queue && !r->queue_metric->v[metric_slot(METRIC_QUEUE_REFUSES, 0)];
    struct json j = {.out = out};
    json_open_object(&j);
    json_put_bool(&j, "healthy", ready && room);
    json_put_bool(&j, "processes_ready", ready);
    json_put_bool(&j, "queue_answers", r->queue);
    json_put_bool(&j, "queue_takes_mail", room);
    json_end(&j);
    return ready && room;
}
