// smtpd_delegation_test: servers of policy over pipes: connections that are kept, that went stale, that lie.
#include "svc/smtpd/smtpd_delegation.h"

#include "rt/fiber/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { PIPE = 1 << 17 };

enum habit { ANSWERS, CLOSES_AFTER_ONE, SILENT, GARBAGE, TALKATIVE, ENDLESS };

struct scene {
    struct loop *loop;
    struct fiber_group group, servers;
    struct config config;
    struct config_filter filter;
    struct smtpd_delegation *d;
    enum habit habit;
    bool away;
    unsigned connections, questions;
    struct transport *last;
};

static FIBER_FN bool say(struct transport *t, const char *text) {
    struct err e;
    return transport_write_all(t, slice_str(text), MONO_NEVER, &e);
}

static FIBER_FN bool answer(struct scene *s, struct transport *t) {
    char words[100];
    switch (s->habit) {
    case SILENT:
        return true;
    case GARBAGE:
        return say(t, "HTTP/1.1 400 Bad Request\n\n");
    case TALKATIVE:
        return say(t, "action=OK\n\naction=REJECT\n\n");
    case ENDLESS:
        while (say(t, "x=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n")) {
        }
        return false;
    default:
        snprintf(words, sizeof words, "action=450 question %u\n\n", ++s->questions);
        return say(t, words) && s->habit != CLOSES_AFTER_ONE;
    }
}

static void serve(void *arg) {
    struct scene *s = arg;
    struct transport *t = s->last;
    struct buf in BUF_AUTO = {.max = 1 << 20};
    struct err e;
    size_t got;
    bool on = true;
    while (on) {
        char *to = buf_reserve(&in, 4096);
        switch (t->ops->read(t, to, 4096, &got, &e)) {
        case TRANSPORT_SOME:
            buf_commit(&in, got);
            if (slice_ends(buf_slice(&in), SLICE("\n\n"))) {
                buf_reset(&in);
                on = answer(s, t);
            }
            break;
        case TRANSPORT_AGAIN:
            on = t->ops->wait_read(t, MONO_NEVER, &e);
            break;
        default:
            on = false;
        }
    }
    t->ops->close(t);
}

static FIBER_FN bool open_server(void *arg, size_t index, struct transport **out, struct err *e) {
    struct scene *s = arg;
    assert_int_equal(index, 0);
    if (s->away)
        return err_set(e, ERR_TEMPORARY, "connection refused");
    s->connections++;
    transport_pair(PIPE, out, &s->last);
    if (!fiber_spawn(&s->servers, "server", serve, s, e))
        return false;
    fiber_yield();
    return true;
}

static FIBER_FN bool ask(struct scene *s, struct buf *words) {
    struct arena arena ARENA_AUTO = {.max = 1 << 16};
    struct slice got;
    struct err e;
    buf_reset(words);
    if (smtpd_delegation_ask(s->d, &s->filter, SLICE("request=smtpd_access_policy\n\n"), &arena, &got, &e))
        return buf_add(words, got);
    buf_add_str(words, e.text);
    return false;
}

static FIBER_FN void assert_says(struct scene *s, bool ok, const char *want) {
    struct buf words BUF_AUTO = {.max = 4096};
    if (ask(s, &words) != ok || slice_search(buf_slice(&words), slice_str(want)) == words.n)
        fail_msg("got %.*s, want %s", SLICE_ARG(buf_slice(&words)), want);
}

static void run(void *arg) {
    struct scene *s = arg;
    assert_says(s, true, "450 question 1");
    assert_says(s, true, "450 question 2");
    assert_int_equal(s->connections, 1);
    s->habit = CLOSES_AFTER_ONE;
    assert_says(s, true, "450 question 3");
    assert_says(s, true, "450 question 4"); // over a fresh one: the kept one was closed
    assert_int_equal(s->connections, 2);
    fiber_sleep(1);
    s->habit = GARBAGE;
    assert_says(s, false, "no answer of the delegation protocol");
    s->habit = TALKATIVE;
    assert_says(s, false, "more than was asked");
    s->habit = ENDLESS;
    assert_says(s, false, "no answer of the delegation protocol");
    s->habit = SILENT;
    assert_says(s, false, "waiting");
    s->away = true;
    assert_says(s, false, "connection refused");
    s->away = false;
    s->habit = ANSWERS;
    assert_says(s, true, "450 question 5");
    smtpd_delegation_free(s->d);
    fiber_sleep(1);
    fiber_group_cancel(&s->servers);
}

static void asks(void **state) {
    struct scene s = {.loop = loop_new(false)};
    struct err e;
    fiber_group_init(&s.group, s.loop, "test");
    fiber_group_init(&s.servers, s.loop, "servers");
    s.filter = (struct config_filter){.name = SLICE("policy"), .kind = CONFIG_FILTER_DELEGATION, .reply = 100};
    s.config.gate.filters = &s.filter;
    s.config.gate.filters_n = 1;
    s.d = smtpd_delegation_new(&s.config, open_server, &s);
    assert_true(fiber_spawn(&s.group, "test", run, &s, &e));
    loop_run(s.loop);
    loop_free(s.loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(asks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
