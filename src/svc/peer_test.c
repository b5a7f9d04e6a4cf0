// peer_test: calls over links that break, stay silent, or are not there yet, and who
// holds a link that is gone.
#include "svc/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PIPE = 1 << 16, LINKS = 3 };

enum habit { ANSWERS, SILENT, DIES, SPEAKS };

struct scene {
    struct loop *loop;
    struct fiber_group group, others; // the service's, and the fibers of the other side
    struct peer peer;
    enum habit habits[LINKS]; // of the other side's instances, one after the other
    size_t n, begun;
    int64_t pause_ms; // before each of them
    // what came of it
    unsigned asked, handled;
    int64_t timeout_ms;
    bool ok;
    char got[16];
    struct err e;
    int64_t took_ms;
};

static void handle(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct scene *s = service;
    s->handled++;
    assert_int_equal(frame->type, LINK_EXPAND_REPLY);
    assert_true(link_is_up(from->link));
}

static void hear(struct scene *s, struct link *l, const struct link_frame *f, enum habit habit) {
    assert_int_equal(f->type, LINK_EXPAND);
    s->asked++;
    if (habit == DIES)
        link_break(l, "killed");
    if (habit == SPEAKS)
        link_send1(l, LINK_EXPAND_REPLY, f->id + 1000, SLICE("to nobody"));
    if (habit == ANSWERS || habit == SPEAKS)
        link_send1(l, LINK_EXPAND_REPLY, f->id, SLICE("yes"));
}

static void other_side(void *arg) {
    struct scene *s = arg;
    while (s->begun < s->n && fiber_sleep(s->pause_ms)) {
        enum habit habit = s->habits[s->begun++];
        struct transport *a, *b;
        struct link_frame f;
        struct err e;
        transport_pair(PIPE, &a, &b);
        struct link *l = link_new(s->loop, a, ROLE_LOOKUP, ROLE_SMTPD);
        peer_attach(&s->peer, link_new(s->loop, b, ROLE_SMTPD, ROLE_LOOKUP));
        while (link_receive(l, MONO_NEVER, &e))
            while (link_next(l, &f))
                hear(s, l, &f, habit);
        link_free(l);
    }
}

static void ask(void *arg) {
    struct scene *s = arg;
    struct buf reply = {.max = 1000};
    enum link_type type;
    struct mono began = loop_now(s->loop);
    s->ok = peer_call(&s->peer, LINK_EXPAND, SLICE("a@b"), loop_in_ms(s->loop, s->timeout_ms), &type, &reply, &s->e);
    s->took_ms = mono_ms_between(began, loop_now(s->loop));
    if (s->ok) {
        assert_int_equal(type, LINK_EXPAND_REPLY);
        memcpy(s->got, reply.p, reply.n < sizeof s->got ? reply.n : sizeof s->got - 1);
    }
    buf_done(&reply);
}

static void play(void *arg) {
    struct scene *s = arg;
    ask(s);
    fiber_group_cancel(&s->group);
    fiber_group_join(&s->group);
    fiber_group_cancel(&s->others);
}

static void begin(struct scene *s, const enum habit *habits, size_t n) {
    *s = (struct scene){.loop = loop_new(true), .n = n, .timeout_ms = 5000};
    for (size_t i = 0; i < n; i++)
        s->habits[i] = habits[i];
    fiber_group_init(&s->group, s->loop, "service");
    fiber_group_init(&s->others, s->loop, "others");
    s->peer = (struct peer){.group = &s->group, .handle = handle, .service = s};
}

static void run(struct scene *s) {
    struct err e;
    if (s->n)
        assert_true(fiber_spawn(&s->others, "other side", other_side, s, &e));
    assert_true(fiber_spawn(&s->others, "play", play, s, &e));
    loop_run(s->loop);
    assert_int_equal(s->group.n, 0);
    assert_null(s->peer.now);
    loop_free(s->loop);
}

static void test_calls(void **state) {
    static const struct {
        const char *what;
        enum habit habits[LINKS];
        size_t n;
        bool ok;
        unsigned asked, handled;
        int64_t took_ms;
    } rows[] = {
        {"answered", {ANSWERS}, 1, true, 1, 0, 100},
        {"asked again on the next link", {DIES, DIES, ANSWERS}, 3, true, 3, 0, 300},
        {"silence is a failure, not a reason to ask again", {SILENT, ANSWERS}, 2, false, 1, 0, 5000},
        {"there is nobody", {0}, 0, false, 0, 0, 5000},
        {"the last one dies", {DIES}, 1, false, 1, 0, 5000},
        {"a stale answer is passed over", {SPEAKS}, 1, true, 1, 0, 100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        begin(&s, rows[i].habits, rows[i].n);
        s.pause_ms = 100;
        run(&s);
        if (s.ok != rows[i].ok || s.asked != rows[i].asked || s.took_ms != rows[i].took_ms)
            fail_msg("%s: ok %d, asked %u, after %lld ms", rows[i].what, s.ok, s.asked, (long long)s.took_ms);
        assert_int_equal(s.handled, rows[i].handled);
        if (s.ok)
            assert_string_equal(s.got, "yes");
        else
            assert_int_not_equal(s.e.kind, ERR_CANCELLED);
    }
}

// A fiber that holds a link may look at it when it has long been broken and replaced.
static void hold(void *arg) {
    struct scene *s = arg;
    struct err e;
    struct peer_link *held = peer_wait(&s->peer, MONO_NEVER, &e);
    assert_non_null(held);
    link_break(held->link, "test");
    while (!s->peer.now || s->peer.now == held)
        assert_true(fiber_sleep(10));
    assert_false(link_is_up(held->link));
    assert_true(link_is_up(s->peer.now->link));
    assert_false(link_send1(held->link, LINK_EXPAND, 1, SLICE("a@b")));
    peer_drop(held);
    peer_drop(NULL);
    fiber_group_cancel(&s->group);
    fiber_group_join(&s->group);
    fiber_group_cancel(&s->others);
}

static void test_held(void **state) {
    struct scene s;
    struct err e;
    begin(&s, (const enum habit[]){ANSWERS, ANSWERS}, 2);
    assert_true(fiber_spawn(&s.others, "other side", other_side, &s, &e) &&
                fiber_spawn(&s.others, "hold", hold, &s, &e));
    loop_run(s.loop);
    loop_free(s.loop);
}

// Stopped in the middle of a call: the call says so, and nothing is left.
static void stop_soon(void *arg) {
    struct scene *s = arg;
    assert_true(fiber_spawn(&s->group, "ask", ask, s, &s->e));
    fiber_sleep(500);
    fiber_group_cancel(&s->group);
    fiber_group_join(&s->group);
    fiber_group_cancel(&s->others);
}

static void test_stopped(void **state) {
    for (size_t n = 0; n < 2; n++) { // without a link, and with one that is silent
        struct scene s;
        struct err e;
        begin(&s, (const enum habit[]){SILENT}, n);
        if (n)
            assert_true(fiber_spawn(&s.others, "other side", other_side, &s, &e));
        assert_true(fiber_spawn(&s.others, "stop", stop_soon, &s, &e));
        loop_run(s.loop);
        assert_false(s.ok);
        assert_int_equal(s.e.kind, ERR_CANCELLED);
        assert_int_equal(s.took_ms, 500);
        loop_free(s.loop);
    }
}

// In a group that is cancelled a new link is closed at once.
static void test_attached_too_late(void **state) {
    struct scene s;
    struct transport *a, *b;
    size_t got;
    char byte;
    struct err e;
    begin(&s, NULL, 0);
    transport_pair(PIPE, &a, &b);
    fiber_group_cancel(&s.group);
    peer_attach(&s.peer, link_new(s.loop, b, ROLE_SMTPD, ROLE_LOOKUP));
    assert_null(s.peer.now);
    assert_int_equal(a->ops->read(a, &byte, 1, &got, &e), TRANSPORT_END);
    a->ops->close(a);
    loop_free(s.loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_attached_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
