// oracle_live: a resolver in this process; a fiber waits for its answers while the loop runs.
#include "cmd/oracle_live.h"

#include "base/mem.h"
#include "core/message/oracle_reply.h"
#include "rt/fiber/fiber.h"
#include "rt/world.h"
#include "svc/resolver/resolver_unbound.h"

#include <stdlib.h>

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 }; // RFC 1035 2.3.4, as text

struct oracle_live {
    struct oracle oracle;
    struct config system; // where none was given
    const struct config *config;
    struct world world;
    struct fiber_group group;
    struct resolver_backend *backend; // NULL before the first question
    int64_t ms;
    bool hurry; // `hurry_ms` begin with the next question
    int64_t hurry_ms;
    struct mono deadline; // of oracle_live_hurry; NEVER: none
};

struct asking {
    struct oracle_live *live;
    struct fiber *waiting; // NULL before it waits
    size_t open;           // questions without an answer
};

// A question may outlive who asked: the backend answers it some time.
struct question {
    struct asking *asking; // NULL: nobody waits any more
    struct arena *arena;
    struct oracle_answer *answer;
    bool answered;
};

// --- answers

static void fail(struct oracle_answer *a, const char *why) {
    *a = (struct oracle_answer){.status = ORACLE_FAILED, .why = slice_str(why)};
}

static void on_reply(void *arg, const struct message_resolve_reply *reply) {
    struct question *q = arg;
    q->answered = true;
    if (!q->asking) {
        free(q);
        return;
    }
    oracle_reply(reply, q->arena, q->answer);
    q->asking->open--;
    if (q->asking->waiting)
        fiber_wake(q->asking->waiting);
}

// --- questions

// Empty labels and too long ones have no answer in DNS.
static bool can_be_asked(struct slice name) {
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (name.n > NAME_MAX_BYTES)
        return false;
    for (struct slice label, rest = name; rest.n || rest.p;) {
        bool more = slice_cut(rest, '.', &label, &rest);
        if (label.n == 0 || label.n > LABEL_MAX_BYTES)
            return false;
        if (!more)
            return true;
    }
    return false;
}

static bool ready(struct oracle_live *l, struct err *e) {
    if (!l->backend)
        l->backend = resolver_unbound_new(&l->world, l->config, e);
    return l->backend;
}

// The loop's clock stood still while nobody asked: after a turn it is right.
static FIBER_FN struct mono deadline_of(struct oracle_live *l) {
    fiber_yield();
    if (l->hurry)
        l->deadline = loop_in_ms(l->world.loop, l->hurry_ms);
    l->hurry = false;
    return mono_earlier(l->deadline, loop_in_ms(l->world.loop, l->ms));
}

static FIBER_FN void wait_for_all(void *arg) {
    struct asking *a = arg;
    struct mono deadline = deadline_of(a->live);
    a->waiting = fiber_self();
    while (a->open && fiber_park(deadline) == FIBER_WOKEN)
        ;
}

static struct question *ask_one(struct oracle_live *l, struct asking *a, const struct oracle_question *from,
                                struct arena *arena, struct oracle_answer *answer) {
    struct message_resolve m = {(uint16_t)from->type, from->name};
    struct question *q = MEM_NEW(struct question);
    *q = (struct question){a, arena, answer, false};
    *answer = (struct oracle_answer){.status = ORACLE_TIMEOUT, .why = SLICE("no answer in time")};
    a->open++;
    l->backend->ask(l->backend, &m, on_reply, q);
    return q;
}

static void let_go(struct question *q) {
    if (!q)
        return;
    q->asking = NULL;
    if (q->answered)
        free(q);
}

static void ask_all(struct oracle_live *l, const struct oracle_question *questions, size_t n, struct arena *arena,
                    struct oracle_answer *answers) {
    struct question *asked[ORACLE_AT_ONCE_MAX];
    struct asking a = {.live = l};
    struct err e = {0};
    for (size_t i = 0; i < n; i++) {
        asked[i] = can_be_asked(questions[i].name) ? ask_one(l, &a, &questions[i], arena, &answers[i]) : NULL;
        if (!asked[i])
            fail(&answers[i], "no name that DNS can be asked for");
    }
    if (a.open && fiber_spawn(&l->group, "oracle", wait_for_all, &a, &e))
        loop_run(l->world.loop);
    for (size_t i = 0; i < n; i++)
        let_go(asked[i]);
}

static void ask(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                struct oracle_answer *answers) {
    struct oracle_live *l = LIST_ENTRY(o, struct oracle_live, oracle);
    struct err e = {0};
    if (ready(l, &e)) {
        ask_all(l, questions, n, arena, answers);
        return;
    }
    struct slice why = arena_dup(arena, slice_str(e.text));
    for (size_t i = 0; i < n; i++)
        answers[i] = (struct oracle_answer){.status = ORACLE_FAILED, .why = why};
}

// --- the oracle

struct oracle_live *oracle_live_new(const struct config *c, int64_t ms) {
    struct oracle_live *l = MEM_NEW(struct oracle_live);
    *l = (struct oracle_live){.oracle = {ask}, .config = c, .ms = ms, .deadline = MONO_NEVER};
    l->world = (struct world){.loop = loop_new(false), .ops = &world_kernel_ops};
    l->system.resolver = CONFIG_RESOLVER_SYSTEM;
    if (!c)
        l->config = &l->system;
    fiber_group_init(&l->group, l->world.loop, "oracle");
    return l;
}

struct oracle *oracle_live_oracle(struct oracle_live *l) {
    return &l->oracle;
}

void oracle_live_hurry(struct oracle_live *l, int64_t ms) {
    l->hurry = true;
    l->hurry_ms = ms;
}

void oracle_live_free(struct oracle_live *l) {
    if (!l)
        return;
    if (l->backend)
        l->backend->free(l->backend);
    loop_free(l->world.loop);
    free(l);
}
