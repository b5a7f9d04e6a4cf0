// smtpd_oracle: how long to wait, and whether DNS is there.
#include "svc/smtpd/smtpd_oracle.h"

#include "rt/journal.h"
#include "svc/link_oracle.h"

enum {
    HEARD_MS = 30 * MS_SECOND, // a good answer tells of DNS for so long
    UNSURE_MS = 2 * MS_SECOND, // for answers where there was none
    LOOK_MS = 1500,            // for the answer that tells whether DNS is there
    AGAIN_MS = 5 * MS_SECOND,  // between looks while it is away
    LINK_MS = 500,             // for a resolver that is just being started again
};

void smtpd_oracle_init(struct smtpd_oracle *o, struct world *w, struct slice hostname, const struct peer *like) {
    *o = (struct smtpd_oracle){.world = w, .hostname = hostname, .resolver = *like};
}

static FIBER_FN bool ask_link(struct smtpd_oracle *o, const struct oracle_question *questions, size_t n,
                              struct mono deadline, struct arena *arena, struct oracle_answer *answers) {
    struct mono link_deadline = mono_earlier(deadline, loop_in_ms(o->world->loop, LINK_MS));
    return link_oracle_ask(&o->resolver, questions, n, link_deadline, deadline, arena, answers);
}

// --- whether DNS is there

static FIBER_FN bool look(struct smtpd_oracle *o) {
    ARENA_AUTO struct arena arena = {.max = 64 * 1024};
    struct oracle_answer answer;
    struct slice name =
        arena_printf(&arena, "%016llx.%.*s", (unsigned long long)world_random_u64(o->world), SLICE_ARG(o->hostname));
    struct oracle_question q = {.type = ORACLE_A, .name = name};
    return ask_link(o, &q, 1, loop_in_ms(o->world->loop, LOOK_MS), &arena, &answer);
}

static void look_until_back(void *arg) {
    struct smtpd_oracle *o = arg;
    bool back = look(o);
    if (back) {
        o->ever = true;
        o->heard = loop_now(o->world->loop);
    }
    while (!back && !fiber_cancelled()) {
        if (!o->away)
            journal_mark(o->world->journal, JOURNAL_WARNING, "dns-away");
        o->away = true;
        back = fiber_sleep(AGAIN_MS) && look(o);
    }
    if (o->away && back)
        journal_mark(o->world->journal, JOURNAL_WARNING, "dns-back");
    o->away = o->looking = false;
}

static bool unsure(const struct smtpd_oracle *o) {
    return !o->ever || mono_ms_between(o->heard, loop_now(o->world->loop)) > HEARD_MS;
}

void smtpd_oracle_begin(struct smtpd_oracle *o) {
    struct err e;
    if (!o->looking && unsure(o))
        o->looking = fiber_spawn(o->resolver.group, "dns look", look_until_back, o, &e);
}

void smtpd_oracle_ask(struct smtpd_oracle *o, const struct oracle_question *questions, size_t n, struct mono deadline,
                      struct arena *arena, struct oracle_answer *answers) {
    struct loop *loop = o->world->loop;
    for (size_t i = 0; o->away && i < n; i++)
        answers[i] = (struct oracle_answer){.status = ORACLE_TIMEOUT, .why = SLICE("DNS is away")};
    if (o->away)
        return;
    if (unsure(o))
        deadline = mono_earlier(deadline, loop_in_ms(loop, o->looking ? LOOK_MS : UNSURE_MS));
    if (!ask_link(o, questions, n, deadline, arena, answers)) {
        smtpd_oracle_begin(o);
        return;
    }
    o->ever = true;
    o->heard = loop_now(loop);
}
