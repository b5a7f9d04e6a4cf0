// policy_test: the service over its links, with auth, submission, inject and control played by the test; what it
// remembers over an end and a start; a store that fails.
#include "svc/policy/policy.h"

#include "base/list.h"
#include "core/message_policy.h"
#include "rt/fiber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PIPE = 1 << 20, PATIENCE_MS = 5000 };

struct house {
    struct loop *loop;
    struct world world;
    struct config *config;
    struct policy_service *policy;
    struct fiber_group group;
    struct link *auth, *submission, *inject, *control;
    struct buf notices;
    unsigned notices_n;
    void (*script)(struct house *h);
    struct wall start;
};

static struct store *kept; // stands for the disk: outlives a service

// --- a store that the test keeps, and can break

struct lent {
    struct store store;
    bool fails;
};
static struct lent lent;

static bool lent_get(struct store *s, struct slice key, struct buf *value, bool *found, struct err *e) {
    return store_get(kept, key, value, found, e);
}
static bool lent_put(struct store *s, struct slice key, struct slice value, struct err *e) {
    return lent.fails ? err_set(e, ERR_TEMPORARY, "full") : store_put(kept, key, value, e);
}
static bool lent_remove(struct store *s, struct slice key, struct err *e) { return store_remove(kept, key, e); }
static bool lent_each(struct store *s, struct slice prefix, bool (*each)(void *, struct slice, struct slice), void *arg,
                      struct err *e) {
    return store_each(kept, prefix, each, arg, e);
}
static bool lent_commit(struct store *s, struct err *e) { return store_commit(kept, e); }
static void lent_free(struct store *s) {}

static struct store *lend(void) {
    static const struct store_ops lent_ops = {.get = lent_get,
                                              .put = lent_put,
                                              .remove = lent_remove,
                                              .each = lent_each,
                                              .commit = lent_commit,
                                              .free = lent_free};
    lent = (struct lent){.store = {.ops = &lent_ops}};
    return &lent.store;
}

static bool count_one(void *arg, struct slice key, struct slice value) {
    ++*(size_t *)arg;
    return true;
}

static size_t kept_entries(void) {
    size_t n = 0;
    struct err e;
    assert_true(store_each(kept, SLICE_EMPTY, count_one, &n, &e));
    return n;
}

// --- the house

static const char text[] =
    "version 1\nhostname mx.example.org\nlisten mx 127.0.0.1:2525\n"
    "domain example.org { recipients any; deliver maildir \"/m/{local}\" }\n"
    "relay from 10.0.0.0/8\n"
    "quota { messages-per-hour 3; recipients-per-hour 0; messages-per-day 0; recipients-per-day 0 }\n"
    "account big { messages-per-hour 100 }\n"
    "lockout { address 3; account 4; network 0; delay 1s .. 8s; time 1m .. 1h }\n"
    "guard { learn 10ms; least 5; factor 2 }\n";

static struct wall wall_here(void *arg) {
    struct house *h = arg;
    return wall_add_ms(h->start, loop_now(h->loop).ns / 1000000);
}
static void random_here(void *arg, void *to, size_t n) { memset(to, 7, n); }
static const struct world_ops ops = {.wall = wall_here, .random = random_here};

static struct link *wire(struct house *h, enum role role) {
    struct transport *a, *b;
    transport_pair(PIPE, &a, &b);
    policy_attach(h->policy, link_new(h->loop, b, ROLE_POLICY, role), role);
    return link_new(h->loop, a, role, ROLE_POLICY);
}

static void take_replies(struct link *l) {
    struct link_frame f;
    struct err e;
    while (link_receive(l, MONO_NEVER, &e))
        while (link_next(l, &f))
            assert_true(link_take_reply(l, &f));
}

static void read_auth(void *arg) { take_replies(((struct house *)arg)->auth); }
static void read_submission(void *arg) { take_replies(((struct house *)arg)->submission); }
static void read_control(void *arg) { take_replies(((struct house *)arg)->control); }

static void read_inject(void *arg) {
    struct house *h = arg;
    struct link_frame f;
    struct message_notice m;
    struct err e;
    while (link_receive(h->inject, MONO_NEVER, &e))
        while (link_next(h->inject, &f)) {
            assert_int_equal(f.type, LINK_NOTICE);
            assert_true(message_notice_unpack(f.payload, &m));
            h->notices_n++;
            buf_addf(&h->notices, "%.*s|%.*s|%.*s", SLICE_ARG(m.to), SLICE_ARG(m.subject), SLICE_ARG(m.text));
        }
}

static void attach_inject(struct house *h) {
    struct err e;
    h->inject = wire(h, ROLE_INJECT);
    assert_true(fiber_spawn(&h->group, "inject", read_inject, h, &e));
}

static void drive(void *arg) {
    struct house *h = arg;
    h->script(h);
    policy_stop(h->policy);
    fiber_group_join(policy_fibers(h->policy));
    fiber_group_cancel(&h->group);
}

static void run(struct wall start, struct store *store, void (*script)(struct house *)) {
    struct house h = {.loop = loop_new(true), .script = script, .start = start, .notices = {.max = 65536}};
    struct config_report report = {0};
    struct err e = {0};
    h.config = config_parse(slice_str(text), SLICE("/"), &report);
    if (!h.config)
        fail_msg("%.*s", SLICE_ARG(report.mistakes[0].text));
    config_report_done(&report);
    h.world = (struct world){.loop = h.loop, .ops = &ops, .ops_arg = &h};
    h.policy = policy_new(&h.world, h.config);
    fiber_group_init(&h.group, h.loop, "test");
    assert_true(policy_start(h.policy, store, NULL, &e));
    h.auth = wire(&h, ROLE_AUTH);
    h.submission = wire(&h, ROLE_SUBMISSION);
    h.control = wire(&h, ROLE_CONTROL);
    assert_true(fiber_spawn(&h.group, "auth", read_auth, &h, &e) &&
                fiber_spawn(&h.group, "submission", read_submission, &h, &e) &&
                fiber_spawn(&h.group, "control", read_control, &h, &e) &&
                fiber_spawn(&h.group, "script", drive, &h, &e));
    loop_run(h.loop);
    policy_free(h.policy);
    link_free(h.auth);
    link_free(h.submission);
    link_free(h.inject);
    link_free(h.control);
    config_free(h.config);
    loop_free(h.loop);
    buf_done(&h.notices);
}

// --- what they ask

static struct netaddr ip(const char *address) {
    struct netaddr a = {0};
    assert_true(netaddr_parse_ip(slice_str(address), &a));
    return a;
}

static void call(struct link *l, enum link_type type, const struct buf *payload, enum link_type want,
                 struct buf *reply) {
    enum link_type got;
    struct slice part = buf_slice(payload);
    struct err e = {0};
    buf_reset(reply);
    if (!link_call(l, type, &part, 1, loop_in_ms(fiber_loop(), PATIENCE_MS), &got, reply, &e))
        fail_msg("%s", e.text);
    assert_int_equal(got, want);
}

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locks_survive),   cmocka_unit_test(test_nobody_locks_the_owner_out),
        cmocka_unit_test(test_turns),           cmocka_unit_test(test_quota),
        cmocka_unit_test(test_guard),           cmocka_unit_test(test_store_fails),
        cmocka_unit_test(test_foreign_entries), cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
