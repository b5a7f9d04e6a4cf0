// smtpd_lists: a fiber that tests one list after the other.
#include "svc/smtpd/smtpd_lists.h"

#include "base/mem.h"
#include "core/config/config.h"
#include "rt/journal.h"

#include <stdlib.h>

enum {
    FIRST_MS = 2 * MS_SECOND, // by then it is known whether DNS is there; mostly it is much sooner
    STEP_MS = 20,
    EVERY_MS = 2 * MS_MINUTE,
    AWAY_MS = 10 * MS_SECOND, // where it isn't
    TEST_MS = 10 * MS_SECOND, // of one list
    ARENA_MAX = 256 * 1024,
};

static FIBER_FN void ask(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                         struct oracle_answer *answers) {
    struct smtpd_lists *l = LIST_ENTRY(o, struct smtpd_lists, oracle);
    smtpd_oracle_ask(l->dns, questions, n, loop_in_ms(fiber_loop(), TEST_MS), arena, answers);
}

void smtpd_lists_init(struct smtpd_lists *l, const struct config *c, struct smtpd_oracle *dns, struct metric *metrics) {
    size_t n = c->gate.lists_n;
    *l = (struct smtpd_lists){.config = c,
                              .dns = dns,
                              .metrics = metrics,
                              .oracle = {ask},
                              .states = n ? mem_new(n, sizeof *l->states) : NULL};
}

void smtpd_lists_done(struct smtpd_lists *l) { free(l->states); }

static void note(const struct smtpd_lists *l, const struct config_list *list, const struct dnsbl_test *t) {
    struct journal *j = l->dns->world->journal;
    if (t->state == DNSBL_GOOD)
        journal_event(j, JOURNAL_INFO, "list-good", JOURNAL_STR("list", list->zone));
    else
        journal_event(j, JOURNAL_WARNING, "list-ignored", JOURNAL_STR("list", list->zone),
                      JOURNAL_Z("state", dnsbl_state_name(t->state)), JOURNAL_OPT("why", t->words));
}

static FIBER_FN void test(struct smtpd_lists *l, size_t i) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    const struct config_list *list = &l->config->gate.lists[i];
    struct dnsbl_test t;
    dnsbl_self_test(list, &l->oracle, &arena, &t);
    if (fiber_cancelled() || l->dns->away)
        return;
    if (t.state != l->states[i] && !(t.state == DNSBL_GOOD && l->states[i] == DNSBL_UNTESTED))
        note(l, list, &t);
    l->states[i] = t.state;
}

static void count(const struct smtpd_lists *l) {
    int64_t ignored = 0;
    for (size_t i = 0; i < l->config->gate.lists_n; i++)
        ignored += l->states[i] == DNSBL_DEAD || l->states[i] == DNSBL_LISTS_ALL;
    metric_set(l->metrics, METRIC_LISTS_IGNORED, ignored);
}

static void look(void *arg) {
    struct smtpd_lists *l = arg;
    bool go_on = true;
    for (int64_t ms = 0; ms < FIRST_MS && go_on && !l->dns->ever; ms += STEP_MS)
        go_on = fiber_sleep(STEP_MS);
    while (go_on) {
        for (size_t i = 0; i < l->config->gate.lists_n && !l->dns->away && !fiber_cancelled(); i++)
            test(l, i);
        count(l);
        go_on = fiber_sleep(l->dns->away ? AWAY_MS : EVERY_MS);
    }
}

void smtpd_lists_begin(struct smtpd_lists *l, struct fiber_group *group) {
    struct err e;
    if (l->states && !fiber_spawn(group, "lists", look, l, &e))
        journal_event(l->dns->world->journal, JOURNAL_ERROR, "lists-untested", JOURNAL_ERR(&e));
}
