// relay_pool_test: which connection is used again, and when one is ended.
#include "svc/relay/relay_pool.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SERVERS = RELAY_POOL_MAX + 2 };

struct scene {
    struct loop *loop;
    struct fiber_group group, test;
    struct relay_pool pool;
    struct config_timeouts timeouts;
    struct transport *servers[SERVERS]; // the other ends, in the order of their making
    size_t n;
    void (*play)(struct scene *s);
};

static struct relay_session *connect_one(struct scene *s) {
    struct relay_session *session = MEM_NEW(struct relay_session);
    struct transport *ours;
    assert_true(s->n < SERVERS);
    transport_pair(4096, &ours, &s->servers[s->n++]);
    stream_init(&session->stream, ours);
    session->timeouts = &s->timeouts;
    return session;
}

static struct relay_session *give(struct scene *s, const char *destination) {
    struct relay_session *session = connect_one(s);
    relay_pool_give(&s->pool, slice_str(destination), session);
    return session;
}

// "" while nothing was said, "end" where it was closed without a word, else the words.
static const char *heard(struct scene *s, size_t i) {
    static char text[64];
    size_t got;
    struct err e;
    struct transport *t = s->servers[i];
    switch (t->ops->read(t, text, sizeof text - 1, &got, &e)) {
    case TRANSPORT_SOME:
        text[got] = '\0';
        return text;
    case TRANSPORT_AGAIN:
        return "";
    default:
        return "end";
    }
}

static void say(struct scene *s, size_t i, const char *text) {
    struct err e;
    assert_true(transport_write_all(s->servers[i], slice_str(text), MONO_NEVER, &e));
}

static void body(void *arg) {
    struct scene *s = arg;
    s->play(s);
    for (size_t i = 0; i < s->n; i++)
        s->servers[i]->ops->close(s->servers[i]);
    fiber_group_cancel(&s->group);
    fiber_group_join(&s->group);
}

static void run(void (*play)(struct scene *s)) {
    struct scene *s = MEM_NEW(struct scene);
    struct err e;
    *s = (struct scene){.loop = loop_new(true), .play = play};
    fiber_group_init(&s->group, s->loop, "relay");
    fiber_group_init(&s->test, s->loop, "test");
    relay_pool_init(&s->pool, &s->group, (struct hash_key){{1, 2}});
    assert_true(fiber_spawn(&s->test, "test", body, s, &e));
    loop_run(s->loop);
    relay_pool_done(&s->pool);
    loop_free(s->loop);
    free(s);
}

static void the_latest_of_its_destination(struct scene *s) {
    struct relay_session *a1 = give(s, "a"), *a2 = give(s, "a"), *b = give(s, "b");
    assert_null(relay_pool_take(&s->pool, SLICE("c")));
    assert_ptr_equal(relay_pool_take(&s->pool, SLICE("a")), a2);
    assert_ptr_equal(relay_pool_take(&s->pool, SLICE("a")), a1);
    assert_null(relay_pool_take(&s->pool, SLICE("a")));
    relay_pool_give(&s->pool, SLICE("a"), a2);
    assert_ptr_equal(relay_pool_take(&s->pool, SLICE("a")), a2);
    relay_session_free(a1);
    relay_session_free(a2);
    assert_int_equal(s->pool.n, 1);
    assert_ptr_equal(relay_pool_take(&s->pool, SLICE("b")), b);
    relay_session_free(b);
}

// Whoever closed, or spoke (a 421, say), is not asked again; the one before it is.
static void only_a_quiet_one(struct scene *s) {
    struct relay_session *quiet = give(s, "a");
    give(s, "a");
    give(s, "a");
    say(s, 1, "421 4.4.2 idle for too long\r\n");
    s->servers[2]->ops->shutdown(s->servers[2]);
    assert_ptr_equal(relay_pool_take(&s->pool, SLICE("a")), quiet);
    assert_int_equal(s->pool.n, 0);
    assert_string_equal(heard(s, 1), "end");
    relay_session_free(quiet);
}

static void idle_ones_say_goodbye(struct scene *s) {
    give(s, "a");
    fiber_sleep(RELAY_POOL_IDLE_MS / 2);
    give(s, "b");
    fiber_sleep(RELAY_POOL_IDLE_MS / 2 + 100);
    assert_string_equal(heard(s, 0), "QUIT\r\n");
    assert_string_equal(heard(s, 1), "");
    assert_int_equal(s->pool.n, 1);
    say(s, 0, "221 2.0.0 Bye\r\n");
    fiber_sleep(10);
    assert_string_equal(heard(s, 0), "end");
    fiber_sleep(RELAY_POOL_IDLE_MS);
    assert_string_equal(heard(s, 1), "QUIT\r\n"); // never answered: its patience ends
    fiber_sleep(MS_MINUTE);
    assert_string_equal(heard(s, 1), "end");
    assert_int_equal(s->pool.n, 0);
    assert_int_equal(s->group.n, 0);
}

static void use_makes_it_young_again(struct scene *s) {
    give(s, "a");
    for (int i = 0; i < 5; i++) {
        fiber_sleep(RELAY_POOL_IDLE_MS - 1000);
        struct relay_session *again = relay_pool_take(&s->pool, SLICE("a"));
        assert_non_null(again);
        relay_pool_give(&s->pool, SLICE("a"), again);
    }
    assert_string_equal(heard(s, 0), "");
}

static void what_can_not_be_kept(struct scene *s) {
    struct relay_session *worn = connect_one(s), *broken = connect_one(s);
    worn->messages = RELAY_POOL_MESSAGES;
    relay_pool_give(&s->pool, SLICE("a"), worn);
    broken->broken = true;
    relay_pool_give(&s->pool, SLICE("a"), broken);
    assert_int_equal(s->pool.n, 0);
    fiber_sleep(10);
    assert_string_equal(heard(s, 0), "QUIT\r\n");
    assert_string_equal(heard(s, 1), "end");
}

static void the_oldest_makes_room(struct scene *s) {
    for (size_t i = 0; i <= RELAY_POOL_MAX; i++)
        give(s, i % 2 ? "a" : "b");
    assert_int_equal(s->pool.n, RELAY_POOL_MAX);
    fiber_sleep(10);
    assert_string_equal(heard(s, 0), "QUIT\r\n");
    assert_string_equal(heard(s, 1), "");
    relay_pool_close(&s->pool);
    assert_int_equal(s->pool.n, 0);
    fiber_sleep(10);
    assert_string_equal(heard(s, 1), "QUIT\r\n");
    give(s, "a"); // too late to be kept
    assert_int_equal(s->pool.n, 0);
    fiber_sleep(10);
    assert_string_equal(heard(s, s->n - 1), "QUIT\r\n");
}

static void test_latest(void **state) { run(the_latest_of_its_destination); }
static void test_quiet(void **state) { run(only_a_quiet_one); }
static void test_idle(void **state) { run(idle_ones_say_goodbye); }
static void test_young(void **state) { run(use_makes_it_young_again); }
static void test_not_kept(void **state) { run(what_can_not_be_kept); }
static void test_full(void **state) { run(the_oldest_makes_room); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latest), cmocka_unit_test(test_quiet),    cmocka_unit_test(test_idle),
        cmocka_unit_test(test_young),  cmocka_unit_test(test_not_kept), cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
