// fiber_test: fibers park, wake, time out, are cancelled and joined; streams and links stand on them.
#include "rt/fiber/fiber.h"
#include "rt/link.h"
#include "rt/fiber/loop.h"
#include "rt/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct scene {
    struct loop *loop;
    struct fiber_group group;
    struct fiber_cond cond;
    struct buf log;
    int n;
};

static void scene_begin(struct scene *s) {
    *s = (struct scene){.loop = loop_new(true), .log = {.max = 100000}};
    fiber_group_init(&s->group, s->loop, "test");
}

static void scene_end(struct scene *s, const char *expected) {
    buf_add_char(&s->log, '\0');
    assert_string_equal(s->log.p, expected);
    assert_int_equal(loop_fibers(s->loop), 0);
    buf_done(&s->log);
    loop_free(s->loop);
}

static void say(struct scene *s, const char *what) { buf_addf(&s->log, "%s ", what); }

static void start(struct scene *s, const char *name, void (*body)(void *arg)) {
    assert_true(fiber_spawn(&s->group, name, body, s, NULL));
}

static void sleeper(void *arg) {
    struct scene *s = arg;
    struct mono before = loop_now(s->loop);
    say(s, fiber_sleep(1500) ? "slept" : "cancelled");
    buf_addf(&s->log, "%lld ", (long long)mono_ms_between(before, loop_now(s->loop)));
}

static void sleep_moves_the_fake_clock(void **state) {
    struct scene s;
    (void)state;
    scene_begin(&s);
    start(&s, "sleeper", sleeper);
    loop_run(s.loop);
    scene_end(&s, "slept 1500 ");
}

static void waiter(void *arg) {
    struct scene *s = arg;
    enum fiber_wake w = fiber_cond_wait(&s->cond, loop_in_ms(s->loop, 1000));
    say(s, w == FIBER_WOKEN ? "woken" : w == FIBER_TIMEOUT ? "timeout" : "cancelled");
}

static void waker(void *arg) {
    struct scene *s = arg;
    say(s, "wake");
    fiber_cond_wake_one(&s->cond);
}

static void a_condition_wakes_one_and_the_other_times_out(void **state) {
    struct scene s;
    (void)state;
    scene_begin(&s);
    start(&s, "first", waiter);
    start(&s, "second", waiter);
    start(&s, "waker", waker);
    loop_run(s.loop);
    scene_end(&s, "wake woken timeout ");
}

static void canceller(void *arg) {
    struct scene *s = arg;
    fiber_sleep(10);
    fiber_group_cancel(&s->group);
    say(s, fiber_sleep(10) ? "slept" : "cancelled-too");
    assert_false(fiber_spawn(&s->group, "late", waker, s, NULL));
}

static void a_cancelled_group_unwinds(void **state) {
    struct scene s;
    (void)state;
    scene_begin(&s);
    start(&s, "first", waiter);
    start(&s, "sleeper", sleeper);
    start(&s, "canceller", canceller);
    loop_run(s.loop);
    scene_end(&s, "cancelled-too cancelled cancelled 10 ");
}

static void child(void *arg) {
    struct scene *s = arg;
    fiber_sleep(s->n++ * 10);
    say(s, "child");
}

static void parent(void *arg) {
    struct scene *s = arg;
    struct fiber_group children;
    fiber_group_init(&children, s->loop, "children");
    for (int i = 0; i < 3; i++)
        assert_true(fiber_spawn(&children, "child", child, s, NULL));
    fiber_group_join(&children);
    say(s, "parent");
}

static void a_parent_joins_its_children(void **state) {
    struct scene s;
    (void)state;
    scene_begin(&s);
    start(&s, "parent", parent);
    loop_run(s.loop);
    scene_end(&s, "child child child parent ");
}

enum { MANY = 2000, ROUNDS = 5 };

static void yielder(void *arg) {
    struct scene *s = arg;
    for (int i = 0; i < ROUNDS; i++) {
        s->n++;
        fiber_yield();
    }
}

static void thousands_of_fibers_take_turns(void **state) {
    struct scene s;
    (void)state;
    scene_begin(&s);
    for (int i = 0; i < MANY; i++)
        start(&s, "yielder", yielder);
    loop_run(s.loop);
    assert_int_equal(s.n, MANY * ROUNDS);
    scene_end(&s, "");
}

// --- streams

struct talk {
    struct scene scene;
    struct transport *a, *b;
};

static void line_reader(void *arg) {
    struct talk *t = arg;
    struct stream s;
    struct slice line;
    struct err e;
    bool too_long;
    stream_init(&s, t->b);
    while (stream_line(&s, 16, loop_in_ms(t->scene.loop, 60000), &line, &too_long, &e)) {
        if (too_long)
            say(&t->scene, "too-long");
        else
            buf_addf(&t->scene.log, "%.*s|", (int)line.n - 1, line.p);
    }
    say(&t->scene, e.text);
    stream_done(&s);
}

static void byte_writer(void *arg) {
    struct talk *t = arg;
    struct slice bytes = SLICE("one\n0123456789abcd\n0123456789abcdef\n01234567890123456789012345678901234567890123456789\n\nlast");
    for (size_t i = 0; i < bytes.n; i++) {
        assert_true(transport_write_all(t->a, slice_of(bytes.p + i, 1), MONO_NEVER, NULL));
        fiber_yield();
    }
    t->a->ops->close(t->a);
}

static void lines_come_whole_however_they_are_cut(void **state) {
    struct talk t;
    (void)state;
    scene_begin(&t.scene);
    transport_pair(8, &t.a, &t.b);
    assert_true(fiber_spawn(&t.scene.group, "reader", line_reader, &t, NULL));
    assert_true(fiber_spawn(&t.scene.group, "writer", byte_writer, &t, NULL));
    loop_run(t.scene.loop);
    scene_end(&t.scene, "one|0123456789abcd|too-long too-long |closed by the peer ");
}

static void slow_writer(void *arg) {
    struct talk *t = arg;
    fiber_sleep(61000);
    t->a->ops->close(t->a);
}

static void a_silent_peer_times_out(void **state) {
    struct talk t;
    (void)state;
    scene_begin(&t.scene);
    transport_pair(8, &t.a, &t.b);
    assert_true(fiber_spawn(&t.scene.group, "reader", line_reader, &t, NULL));
    assert_true(fiber_spawn(&t.scene.group, "writer", slow_writer, &t, NULL));
    loop_run(t.scene.loop);
    scene_end(&t.scene, "timed out waiting for input ");
}

// --- links

static void echo_server(void *arg) {
    struct talk *t = arg;
    struct link *l = link_new(t->scene.loop, t->b, ROLE_LOOKUP, ROLE_SMTPD);
    struct link_frame f;
    struct err e;
    while (link_receive(l, MONO_NEVER, &e))
        while (link_next(l, &f))
            link_send1(l, LINK_EXPAND_REPLY, f.id, f.payload);
    link_free(l);
}

struct caller {
    struct talk *talk;
    struct link *link;
    struct fiber_group calls;
};

static void call_reader(void *arg) {
    struct caller *c = arg;
    struct link_frame f;
    struct err e;
    while (link_receive(c->link, MONO_NEVER, &e))
        while (link_next(c->link, &f))
            assert_true(link_take_reply(c->link, &f));
}

static void one_call(void *arg) {
    struct caller *c = arg;
    struct buf reply = {.max = 1000000};
    enum link_type type;
    struct err e;
    size_t n = 1 + (size_t)c->talk->scene.n++ * 37000; // the largest passes the read buffer's first size
    char *bytes = calloc(n, 1);
    memset(bytes, 'x', n);
    struct slice part = slice_of(bytes, n);
    assert_true(link_call(c->link, LINK_EXPAND, &part, 1, loop_in_ms(c->talk->scene.loop, 1000), &type, &reply, &e));
    assert_int_equal(type, LINK_EXPAND_REPLY);
    assert_true(slice_eq(buf_slice(&reply), part));
    buf_done(&reply);
    free(bytes);
}

static void make_calls(void *arg) {
    struct caller *c = arg;
    for (int i = 0; i < 10; i++)
        assert_true(fiber_spawn(&c->calls, "call", one_call, c, NULL));
    fiber_group_join(&c->calls);
    link_break(c->link, "done");
}

static void calls_get_their_answers(void **state) {
    struct talk t;
    struct caller c = {.talk = &t};
    (void)state;
    scene_begin(&t.scene);
    transport_pair(5000, &t.a, &t.b);
    fiber_group_init(&c.calls, t.scene.loop, "calls");
    c.link = link_new(t.scene.loop, t.a, ROLE_SMTPD, ROLE_LOOKUP);
    assert_true(fiber_spawn(&t.scene.group, "server", echo_server, &t, NULL));
    assert_true(fiber_spawn(&t.scene.group, "reader", call_reader, &c, NULL));
    assert_true(fiber_spawn(&t.scene.group, "calls", make_calls, &c, NULL));
    loop_run(t.scene.loop);
    link_free(c.link);
    scene_end(&t.scene, "");
}

static void wrong_sender(void *arg) {
    struct talk *t = arg;
    struct link *l = link_new(t->scene.loop, t->a, ROLE_SMTPD, ROLE_QUEUE); // lies: the other side knows better
    struct buf reply = {.max = 100};
    enum link_type type;
    struct slice part = SLICE("x");
    struct err e;
    assert_false(link_call(l, LINK_SUBMIT, &part, 1, loop_in_ms(t->scene.loop, 100), &type, &reply, &e));
    say(&t->scene, "refused");
    link_free(l);
}

static void a_type_that_the_role_may_not_send_ends_the_link(void **state) {
    struct talk t;
    (void)state;
    scene_begin(&t.scene);
    transport_pair(5000, &t.a, &t.b);
    assert_true(fiber_spawn(&t.scene.group, "server", echo_server, &t, NULL));
    assert_true(fiber_spawn(&t.scene.group, "liar", wrong_sender, &t, NULL));
    loop_run(t.scene.loop);
    scene_end(&t.scene, "refused ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleep_moves_the_fake_clock),
        cmocka_unit_test(a_condition_wakes_one_and_the_other_times_out),
        cmocka_unit_test(a_cancelled_group_unwinds),
        cmocka_unit_test(a_parent_joins_its_children),
        cmocka_unit_test(thousands_of_fibers_take_turns),
        cmocka_unit_test(lines_come_whole_however_they_are_cut),
        cmocka_unit_test(a_silent_peer_times_out),
        cmocka_unit_test(calls_get_their_answers),
        cmocka_unit_test(a_type_that_the_role_may_not_send_ends_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
