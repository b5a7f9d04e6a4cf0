// policy_test: log-ins, quotas and the guard over the links; what is remembered over an end and a start; a store that
// fails.
#include "svc/policy/policy_test_house.h"

#include <stdio.h>
#include <stdlib.h>

// --- what they ask

static struct message_try_reply try(struct house *h, const char *client, const char *user, struct buf *reply) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_try_reply r;
    message_try_pack(&b, &(struct message_try){.client = ip(client), .user = slice_str(user)});
    call(h->auth, LINK_TRY, &b, LINK_TRY_REPLY, reply);
    assert_true(message_try_reply_unpack(buf_slice(reply), &r));
    return r;
}

static void assert_try(struct house *h, const char *client, const char *user, const char *locked) {
    BUF_AUTO struct buf reply = {.max = 4096};
    struct message_try_reply r = try(h, client, user, &reply);
    assert_int_equal(r.locked, locked != NULL);
    if (locked)
        assert_true(slice_eq(r.why, slice_str(locked)));
}

static void tried(struct house *h, const char *client, const char *user, const char *secret, bool ok) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_tried m = {.client = ip(client), .user = slice_str(user), .secret = slice_str(secret), .ok = ok};
    message_tried_pack(&b, &m);
    assert_true(link_send1(h->auth, LINK_TRIED, 0, buf_slice(&b)));
}

static struct message_use_reply use(struct house *h, const char *user, uint32_t recipients, bool only_ask,
                                    struct buf *reply) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_use_reply r;
    struct message_use m = {.user = slice_str(user), .client = ip("192.0.2.1")};
    m.recipients = recipients;
    m.only_ask = only_ask;
    message_use_pack(&b, &m);
    call(h->submission, LINK_USE, &b, LINK_USE_REPLY, reply);
    assert_true(message_use_reply_unpack(buf_slice(reply), &r));
    return r;
}

static void assert_use(struct house *h, const char *user, uint32_t recipients, bool only_ask, int smtp, bool hold) {
    BUF_AUTO struct buf reply = {.max = 4096};
    struct message_use_reply r = use(h, user, recipients, only_ask, &reply);
    assert_int_equal(r.ok, smtp == 250);
    assert_int_equal(r.hold, hold);
    if (smtp != 250)
        assert_int_equal(r.smtp, smtp);
}

static struct message_policy_reply ask(struct house *h, enum link_type type, const char *what, struct buf *reply,
                                       struct arena *arena) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_policy_reply r;
    message_policy_query_pack(&b, &(struct message_policy_query){.what = slice_str(what), .limit = 100});
    call(h->control, type, &b, LINK_POLICY_REPLY, reply);
    assert_true(message_policy_reply_unpack(buf_slice(reply), arena, &r));
    return r;
}

static uint32_t change(struct house *h, enum link_type type, const char *what) {
    BUF_AUTO struct buf reply = {.max = 65536};
    ARENA_AUTO struct arena arena = {.max = 65536};
    return ask(h, type, what, &reply, &arena).count;
}

// --- the tests

static void lock_out(struct house *h) {
    BUF_AUTO struct buf reply = {.max = 4096};
    assert_try(h, "192.0.2.1", "ann", NULL);
    assert_int_equal(try(h, "192.0.2.1", "ann", &reply).delay_ms, 1000);
    for (int i = 0; i < 3; i++)
        tried(h, "192.0.2.1", "ann", "", false);
    assert_try(h, "192.0.2.1", "bob", "address");
    assert_try(h, "192.0.2.2", "ann", NULL);
    tried(h, "192.0.2.2", "ann", "", false);
    assert_try(h, "192.0.2.3", "ann", "account");
    assert_int_equal(change(h, LINK_LOCKOUT_LIST, ""), 4); // the network has failures, the second address too
    fiber_sleep(3000);                                     // kept meanwhile
}

static void still_locked(struct house *h) {
    assert_try(h, "192.0.2.1", "bob", "address");
    assert_try(h, "192.0.2.3", "ann", "account");
    assert_int_equal(change(h, LINK_LOCKOUT_CLEAR, "ann"), 1);
    assert_try(h, "192.0.2.3", "ann", NULL);
    assert_int_equal(change(h, LINK_LOCKOUT_CLEAR, ""), 3);
    assert_try(h, "192.0.2.1", "bob", NULL);
    assert_int_equal(change(h, LINK_LOCKOUT_LIST, ""), 0);
}

static void nothing_kept(struct house *h) { assert_int_equal(change(h, LINK_LOCKOUT_LIST, ""), 0); }

static void test_locks_survive(void **state) {
    struct wall t = {1700000000000};
    kept = store_memory_new();
    run(t, lend(), lock_out);
    run(wall_add_ms(t, 10000), lend(), still_locked);
    run(wall_add_ms(t, 20000), lend(), nothing_kept);
    assert_int_equal(kept_entries(), 0);
    store_free(kept);
}

// Ten at once from an address that lets three guess: the others wait for the first, who gets in.
static struct house *crowd;
static unsigned let, refused;

static void one_of_many(void *arg) {
    BUF_AUTO struct buf reply = {.max = 4096};
    struct message_try_reply r = try(crowd, "192.0.2.77", "ann", &reply);
    let += !r.locked;
    refused += r.locked;
}

static void come_at_once(struct house *h, unsigned n) {
    struct err e;
    let = refused = 0;
    for (unsigned i = 0; i < n; i++)
        assert_true(fiber_spawn(&h->group, "one of many", one_of_many, NULL, &e));
    fiber_sleep(100);
    assert_int_equal(let, 3);
    assert_int_equal(refused, 0);
}

static void wait_in_turn(struct house *h) {
    crowd = h;
    come_at_once(h, 10);
    fiber_sleep(2000);
    assert_int_equal(refused, 7); // nobody said how it went
    fiber_sleep(2LL * MS_MINUTE);
    come_at_once(h, 10);
    tried(h, "192.0.2.77", "ann", "", true);
    fiber_sleep(100);
    assert_int_equal(let, 10);
}

static void fail_in_turn(struct house *h) {
    crowd = h;
    come_at_once(h, 10);
    for (int i = 0; i < 3; i++)
        tried(h, "192.0.2.77", "ann", "", false);
    fiber_sleep(100);
    assert_int_equal(let, 3);
    assert_int_equal(refused, 7);
}

static void test_turns(void **state) {
    run((struct wall){1700000000000}, NULL, wait_in_turn);
    run((struct wall){1700000000000}, NULL, fail_in_turn);
}

static void killed_at_home(struct house *h) {
    tried(h, "198.51.100.1", "ann", "phone", true);
    fiber_sleep(5);
    for (int i = 0; i < 200; i++) {
        char client[32];
        snprintf(client, sizeof client, "203.0.%d.1", i);
        tried(h, client, "ann", "", false);
    }
    assert_try(h, "192.0.2.3", "ann", "account");
    assert_try(h, "198.51.100.2", "ann", NULL);
}

static void uses_of(struct house *h) {
    BUF_AUTO struct buf reply = {.max = 65536};
    ARENA_AUTO struct arena arena = {.max = 65536};
    killed_at_home(h);
    struct message_policy_reply r = ask(h, LINK_USER_USES, "ann", &reply, &arena);
    assert_int_equal(r.entries_n, 1);
    assert_true(slice_eq(r.entries[0].secret, SLICE("phone")));
    assert_true(r.entries[0].used.ms >= 1700000000000);
    assert_int_equal(ask(h, LINK_USER_USES, "bob", &reply, &arena).entries_n, 0);
}

static void test_nobody_locks_the_owner_out(void **state) { run((struct wall){1700000000000}, NULL, uses_of); }

static void keep_to_quota(struct house *h) {
    BUF_AUTO struct buf reply = {.max = 4096};
    for (int i = 0; i < 3; i++) {
        assert_use(h, "ann", 0, true, 250, false);
        assert_use(h, "ann", 1, true, 250, false);
        assert_use(h, "ann", 1, false, 250, false);
    }
    assert_use(h, "ann", 0, true, 451, false);
    struct message_use_reply r = use(h, "ann", 1, false, &reply);
    assert_false(r.ok);
    assert_int_equal(r.enhanced[0], 4);
    assert_true(slice_starts(r.text, SLICE("you have sent 3 messages within an hour")));
    for (int i = 0; i < 4; i++)
        assert_use(h, "big", 1, false, 250, false);
}

static void quota_is_known(struct house *h) { assert_use(h, "ann", 0, true, 451, false); }

static void test_quota(void **state) {
    struct wall t = {1700000000000};
    kept = store_memory_new();
    run(t, lend(), keep_to_quota);
    run(wall_add_ms(t, 60000), lend(), quota_is_known);
    store_free(kept);
}

static void jump(struct house *h) {
    assert_use(h, "big", 1, false, 250, false);
    fiber_sleep(100); // it has learnt
    for (int i = 0; i < 4; i++)
        assert_use(h, "big", 1, false, 250, false);
    assert_use(h, "big", 1, false, 250, true);
    fiber_sleep(2000);
    assert_int_equal(h->notices_n, 0); // nobody there to tell it
    attach_inject(h);
    fiber_sleep(10);
    assert_int_equal(h->notices_n, 1);
    struct slice notices = buf_slice(&h->notices);
    assert_true(slice_starts(notices, SLICE("postmaster@example.org|Mail of big is held|")));
    assert_true(slice_search(notices, SLICE("6 messages in this hour")) < notices.n);
    assert_use(h, "big", 1, false, 250, true);
    fiber_sleep(2000);
    assert_int_equal(h->notices_n, 1); // once
}

static void still_held(struct house *h) {
    BUF_AUTO struct buf reply = {.max = 65536};
    ARENA_AUTO struct arena arena = {.max = 65536};
    attach_inject(h);
    assert_use(h, "big", 1, false, 250, true);
    assert_int_equal(h->notices_n, 0);
    struct message_policy_reply r = ask(h, LINK_GUARD_LIST, "", &reply, &arena);
    assert_int_equal(r.entries_n, 1);
    assert_int_equal(r.entries[0].state, MESSAGE_POLICY_HOLDING);
    assert_int_equal(r.entries[0].held, 3);
    assert_int_equal(change(h, LINK_GUARD_RELEASE, "nobody"), 0);
    assert_int_equal(change(h, LINK_GUARD_RELEASE, ""), 0);
    assert_int_equal(change(h, LINK_GUARD_RELEASE, "big"), 1);
    assert_use(h, "big", 1, false, 250, false);
    assert_int_equal(change(h, LINK_GUARD_BLOCK, "big"), 1);
    assert_use(h, "big", 1, true, 550, false);
    assert_use(h, "big", 1, false, 550, false);
    assert_try(h, "192.0.2.9", "big", "blocked");
}

static void still_blocked(struct house *h) {
    assert_try(h, "192.0.2.9", "big", "blocked");
    assert_int_equal(change(h, LINK_GUARD_RELEASE, "big"), 1);
    assert_try(h, "192.0.2.9", "big", NULL);
    assert_use(h, "big", 1, false, 250, false);
}

static void test_guard(void **state) {
    struct wall t = {1700000000000};
    kept = store_memory_new();
    run(t, lend(), jump);
    run(wall_add_ms(t, 60000), lend(), still_held);
    run(wall_add_ms(t, 120000), lend(), still_blocked);
    store_free(kept);
}

static void fail_and_recover(struct house *h) {
    lent.fails = true;
    tried(h, "192.0.2.1", "ann", "", false);
    fiber_sleep(5000);
    assert_int_equal(kept_entries(), 0);
    assert_int_equal(change(h, LINK_LOCKOUT_LIST, ""), 3);
    lent.fails = false;
    fiber_sleep(90 * MS_SECOND);
    assert_int_equal(kept_entries(), 3);
}

static void test_store_fails(void **state) {
    kept = store_memory_new();
    run((struct wall){1700000000000}, lend(), fail_and_recover);
    store_free(kept);
}

static void test_foreign_entries(void **state) {
    struct err e;
    kept = store_memory_new();
    assert_true(store_put(kept, SLICE("aann"), SLICE("x"), &e) && store_put(kept, SLICE("?"), SLICE(""), &e));
    run((struct wall){1700000000000}, lend(), nothing_kept);
    store_free(kept);
}
static void be_rude(struct house *h) {
    assert_true(link_send1(h->auth, LINK_TRIED, 0, SLICE("x")));
    fiber_sleep(10);
    assert_false(link_is_up(h->auth));
    assert_use(h, "ann", 0, true, 250, false);
}

static void test_malformed(void **state) { run((struct wall){1700000000000}, NULL, be_rude); }

// Whoever waits for work wakes up for that, and now and then to sweep.
static void count_turn(void *arg) { ++*(unsigned *)arg; }

static void idle(struct house *h) {
    unsigned turns = 0;
    tried(h, "192.0.2.1", "ann", "", true);
    fiber_sleep(3 * MS_SECOND);
    loop_on_idle(h->loop, count_turn, &turns);
    fiber_sleep(MS_HOUR);
    loop_on_idle(h->loop, NULL, NULL);
    if (turns > 130) // a minute's wait, and the second before it keeps
        fail_msg("%u turns in an idle hour", turns);
}

static void test_sleeps(void **state) {
    kept = store_memory_new();
    run((struct wall){1700000000000}, lend(), idle);
    store_free(kept);
    run((struct wall){1700000000000}, NULL, idle);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locks_survive),   cmocka_unit_test(test_nobody_locks_the_owner_out),
        cmocka_unit_test(test_turns),           cmocka_unit_test(test_quota),
        cmocka_unit_test(test_guard),           cmocka_unit_test(test_store_fails),
        cmocka_unit_test(test_foreign_entries), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
