// lockout_test: failures add up, age out and lock; nobody is locked out by others; what is kept comes back the same.
#include "core/policy/lockout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct hash_key key = {{3, 4}};
static const struct config_lockout usual = {.account = 5,
                                            .address = 3,
                                            .network = 20,
                                            .window = 15 * MS_MINUTE,
                                            .time_first = 5 * MS_MINUTE,
                                            .time_most = 4 * MS_HOUR,
                                            .delay_first = 1000,
                                            .delay_most = 8000};

static struct wall at(int64_t ms) { return (struct wall){1700000000000 + ms}; }

static struct netaddr ip(const char *text) {
    struct netaddr a = {0};
    assert_true(netaddr_parse_ip(slice_str(text), &a));
    return a;
}

static struct lockout_answer try(struct lockout *l, const char *client, const char *user, struct wall now) {
    struct netaddr a = ip(client);
    return lockout_try(l, &a, false, slice_str(user), now);
}

static size_t tried(struct lockout *l, const char *client, const char *user, bool ok, struct wall now) {
    struct netaddr a = ip(client);
    struct lockout_lock began[LOCKOUT_KINDS];
    return lockout_tried(l, &a, false, slice_str(user), ok, now, began);
}

static void assert_locked(struct lockout *l, const char *client, const char *user, struct wall now,
                          enum lockout_kind by) {
    struct lockout_answer a = try(l, client, user, now);
    assert_true(a.locked);
    assert_int_equal(a.by, by);
}

static void assert_open(struct lockout *l, const char *client, const char *user, struct wall now) {
    assert_false(try(l, client, user, now).locked);
}

static void test_delays_double(void **state) {
    static const int64_t want[] = {1000, 2000, 4000, 8000, 8000};
    struct config_lockout c = usual;
    struct lockout l;
    c.address = 0;
    lockout_init(&l, &c, &key);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(try(&l, "192.0.2.1", "", at(0)).delay_ms, want[i]);
        tried(&l, "192.0.2.1", "", false, at(0));
    }
    // Aged out.
    assert_int_equal(try(&l, "192.0.2.1", "", at(31 * MS_MINUTE)).delay_ms, 1000);
    // No time at all is none.
    c.delay_first = c.delay_most = 0;
    assert_int_equal(try(&l, "192.0.2.1", "", at(0)).delay_ms, 0);
    lockout_done(&l);
}

static void test_address_locks(void **state) {
    struct lockout l;
    lockout_init(&l, &usual, &key);
    assert_int_equal(tried(&l, "192.0.2.1", "a", false, at(0)), 0);
    assert_int_equal(tried(&l, "192.0.2.1", "b", false, at(1)), 0);
    assert_open(&l, "192.0.2.1", "c", at(1));
    assert_int_equal(tried(&l, "192.0.2.1", "c", false, at(2)), 1);
    assert_locked(&l, "192.0.2.1", "anybody", at(3), LOCKOUT_ADDRESS);
    assert_open(&l, "192.0.2.2", "a", at(3));
    // Not counted on: it ends when it was said to, and the next one lasts twice as long.
    tried(&l, "192.0.2.1", "c", false, at(4 * MS_MINUTE));
    assert_open(&l, "192.0.2.1", "c", at(2 + 5 * MS_MINUTE));
    for (int i = 0; i < 3; i++)
        tried(&l, "192.0.2.1", "c", false, at(6 * MS_MINUTE));
    assert_locked(&l, "192.0.2.1", "z", at(15 * MS_MINUTE), LOCKOUT_ADDRESS);
    assert_open(&l, "192.0.2.1", "z", at(16 * MS_MINUTE));
    // Long after, the first length again.
    struct wall later = at(2LL * MS_DAY);
    for (int i = 0; i < 3; i++)
        tried(&l, "192.0.2.1", "z", false, later);
    assert_locked(&l, "192.0.2.1", "z", wall_add_ms(later, 4 * MS_MINUTE), LOCKOUT_ADDRESS);
    assert_open(&l, "192.0.2.1", "z", wall_add_ms(later, 5 * MS_MINUTE));
    lockout_done(&l);
}

static void test_success_forgives_the_address(void **state) {
    struct lockout l;
    lockout_init(&l, &usual, &key);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(tried(&l, "192.0.2.1", "", false, at(i)), 0);
        assert_int_equal(tried(&l, "192.0.2.1", "", false, at(i)), 0);
        assert_int_equal(tried(&l, "192.0.2.1", "bob", true, at(i)), 0);
    }
    lockout_done(&l);
}

static void test_ipv6_counts_by_64(void **state) {
    struct lockout l;
    lockout_init(&l, &usual, &key);
    tried(&l, "2001:db8:0:1::1", "a", false, at(0));
    tried(&l, "2001:db8:0:1::2", "a", false, at(0));
    tried(&l, "2001:db8:0:1:ffff::3", "a", false, at(0));
    assert_locked(&l, "2001:db8:0:1::4", "b", at(1), LOCKOUT_ADDRESS);
    assert_open(&l, "2001:db8:0:2::4", "b", at(1));
    // The whole /48 for the network's bound, whichever addresses it uses.
    for (int i = 0; i < 20; i++) {
        char client[64];
        snprintf(client, sizeof client, "2001:db8:7:%d::1", i);
        tried(&l, client, "", false, at(i));
    }
    assert_locked(&l, "2001:db8:7:ffff::4", "b", at(30), LOCKOUT_NETWORK);
    lockout_done(&l);
}

// 10,000 wrong passwords from elsewhere, and then some from home.
static void test_owner_is_not_locked_out(void **state) {
    struct lockout l;
    lockout_init(&l, &usual, &key);
    tried(&l, "198.51.100.7", "ann", true, at(0));
    for (int i = 0; i < 10000; i++) {
        char client[64];
        snprintf(client, sizeof client, "10.%d.%d.1", i / 250, i % 250);
        tried(&l, client, "ann", false, at(10LL * i));
    }
    struct wall now = at(100 * MS_SECOND);
    assert_locked(&l, "203.0.113.9", "ann", now, LOCKOUT_ACCOUNT);
    assert_open(&l, "198.51.100.7", "ann", now);
    assert_open(&l, "198.51.100.250", "ann", now); // the next lease of the same provider
    assert_int_equal(try(&l, "198.51.100.7", "ann", now).delay_ms, 1000);
    // But an address at home that guesses is locked as any other.
    for (int i = 0; i < 3; i++)
        tried(&l, "198.51.100.66", "ann", false, now);
    assert_locked(&l, "198.51.100.66", "ann", now, LOCKOUT_ADDRESS);
    // A month later home is not known any more.
    assert_true(lockout_knows(&l, &(struct netaddr){NETADDR_V4, {198, 51, 100, 7}, 0}, SLICE("ann"), now));
    assert_false(
        lockout_knows(&l, &(struct netaddr){NETADDR_V4, {198, 51, 100, 7}, 0}, SLICE("ann"), at(30LL * MS_DAY)));
    lockout_done(&l);
}

static void test_known_networks_are_bounded(void **state) {
    struct lockout l;
    lockout_init(&l, &usual, &key);
    for (int i = 0; i < LOCKOUT_KNOWN_NETWORKS + 1; i++) {
        char client[64];
        snprintf(client, sizeof client, "10.0.%d.1", i);
        tried(&l, client, "ann", true, at(i));
    }
    struct netaddr first = ip("10.0.0.1"), second = ip("10.0.1.1");
    assert_false(lockout_knows(&l, &first, SLICE("ann"), at(100)));
    assert_true(lockout_knows(&l, &second, SLICE("ann"), at(100)));
    lockout_done(&l);
}

static void test_trusted(void **state) {
    struct lockout l;
    struct lockout_lock began[LOCKOUT_KINDS];
    struct netaddr client = ip("10.0.0.1");
    lockout_init(&l, &usual, &key);
    for (int i = 0; i < 100; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        assert_int_equal(lockout_tried(&l, &client, true, slice_str(user), false, at(0), began), 0);
    }
    struct lockout_answer a = lockout_try(&l, &client, true, SLICE("x"), at(1));
    assert_false(a.locked);
    assert_int_equal(a.delay_ms, 8000);
    // An account's lock is another matter.
    for (int i = 0; i < 5; i++)
        lockout_tried(&l, &client, true, SLICE("ann"), false, at(0), began);
    assert_true(lockout_try(&l, &client, true, SLICE("ann"), at(1)).locked);
    lockout_done(&l);
}

static void test_clock_steps(void **state) {
    struct lockout l;
    lockout_init(&l, &usual, &key);
    for (int i = 0; i < 3; i++)
        tried(&l, "192.0.2.1", "", false, at(0));
    // Back by a year: no lock of a year.
    assert_open(&l, "192.0.2.1", "", at(-365LL * MS_DAY));
    for (int i = 0; i < 3; i++)
        tried(&l, "192.0.2.1", "", false, at(-365LL * MS_DAY));
    assert_locked(&l, "192.0.2.1", "", at(-365LL * MS_DAY), LOCKOUT_ADDRESS);
    assert_open(&l, "192.0.2.1", "", at(365LL * MS_DAY));
    lockout_done(&l);
}

// A thousand at once are no thousand guesses.
static void test_tries_under_way(void **state) {
    struct lockout l;
    unsigned let = 0;
    lockout_init(&l, &usual, &key);
    tried(&l, "198.51.100.7", "ann", true, at(0));
    for (int i = 0; i < 1000; i++) {
        char client[64];
        snprintf(client, sizeof client, "10.%d.%d.1", i / 250, i % 250);
        let += !try(&l, client, "ann", at(1)).locked;
    }
    assert_int_equal(let, usual.account);
    assert_locked(&l, "203.0.113.9", "ann", at(1), LOCKOUT_ACCOUNT);
    assert_true(try(&l, "203.0.113.9", "ann", at(1)).crowded);
    assert_open(&l, "203.0.113.9", "bob", at(1));
    for (int i = 0; i < 100; i++) // at home as many as one likes
        assert_open(&l, "198.51.100.7", "ann", at(1));
    // What nobody tells of any more is forgotten.
    assert_open(&l, "203.0.113.9", "ann", at(MS_MINUTE));
    for (int i = 0; i < 3; i++)
        assert_open(&l, "192.0.2.1", "", at(2));
    assert_locked(&l, "192.0.2.1", "", at(2), LOCKOUT_ADDRESS);
    tried(&l, "192.0.2.1", "bob", true, at(3)); // one of them got in
    assert_open(&l, "192.0.2.1", "", at(3));
    lockout_done(&l);
}

static void test_no_bounds(void **state) {
    struct config_lockout c = usual;
    struct lockout l;
    c.account = c.address = c.network = 0;
    lockout_init(&l, &c, &key);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(tried(&l, "192.0.2.1", "a", false, at(i)), 0);
    assert_open(&l, "192.0.2.1", "a", at(1000));
    lockout_done(&l);
}

struct seen {
    char text[512];
};

static void note(void *arg, const struct lockout_line *line) {
    struct seen *s = arg;
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof s->text - n, "%s %.*s %u%s\n", lockout_kind_name(line->kind), SLICE_ARG(line->what),
             line->failures, line->locked ? " locked" : "");
}

static void assert_list(const struct lockout *l, const char *what, struct wall now, const char *want) {
    struct seen s = {""};
    lockout_list(l, slice_str(what), now, note, &s);
    assert_string_equal(s.text, want);
}

static void some(struct lockout *l) {
    lockout_init(l, &usual, &key);
    for (int i = 0; i < 3; i++)
        tried(l, "2001:db8::25", "ann", false, at(i));
}

static void test_list_and_clear(void **state) {
    struct lockout l;
    some(&l);
    assert_list(&l, "", at(10), "address 2001:db8::/64 3 locked\naccount ann 3\nnetwork 2001:db8::/48 3\n");
    assert_list(&l, "2001:db8::77", at(10), "address 2001:db8::/64 3 locked\n");
    assert_list(&l, "ann", at(10), "account ann 3\n");
    assert_list(&l, "bob", at(10), "");
    assert_int_equal(lockout_locked(&l, at(10)), 1);
    assert_int_equal(lockout_clear(&l, SLICE("bob"), at(10)), 0);
    assert_int_equal(lockout_clear(&l, SLICE("2001:db8::25"), at(10)), 1);
    assert_open(&l, "2001:db8::25", "bob", at(10));
    assert_int_equal(lockout_clear(&l, SLICE(""), at(10)), 2);
    assert_list(&l, "", at(10), "");
    lockout_done(&l);
}

static void test_sweep(void **state) {
    struct lockout l;
    some(&l);
    lockout_sweep(&l, at(MS_HOUR));
    assert_int_equal(l.counters[LOCKOUT_ADDRESS].map.n, 1); // how long its last lock was is still known
    assert_int_equal(l.counters[LOCKOUT_ACCOUNT].map.n, 0);
    lockout_sweep(&l, at(6 * MS_HOUR));
    assert_int_equal(l.counters[LOCKOUT_ADDRESS].map.n, 0);
    lockout_done(&l);
}

static void test_kept(void **state) {
    struct lockout l, again;
    some(&l);
    tried(&l, "192.0.2.1", "bob", true, at(5));
    lockout_init(&again, &usual, &key);
    size_t changes = 0;
    for (;; changes++) {
        BUF_AUTO struct buf k = {.max = 512}, v = {.max = 1024};
        if (!lockout_next_change(&l, &k, &v))
            break;
        assert_true(lockout_load(&again, buf_slice(&k), buf_slice(&v)));
        for (size_t cut = 1; cut < v.n; cut++)
            if (k.p[0] != 'k')
                assert_false(lockout_load(&again, buf_slice(&k), slice_of(v.p, cut)));
        assert_true(lockout_load(&again, buf_slice(&k), buf_slice(&v)));
    }
    assert_int_equal(changes, 4);
    assert_list(&again, "", at(10), "address 2001:db8::/64 3 locked\naccount ann 3\nnetwork 2001:db8::/48 3\n");
    struct netaddr bob = ip("192.0.2.99");
    assert_true(lockout_knows(&again, &bob, SLICE("bob"), at(10)));
    BUF_AUTO struct buf k = {.max = 512}, v = {.max = 1024};
    assert_false(lockout_next_change(&again, &k, &v)); // it came from there
    lockout_change_all(&again);
    assert_true(lockout_next_change(&again, &k, &v));
    assert_false(lockout_load(&again, SLICE("x"), SLICE("y")));
    assert_false(lockout_load(&again, SLICE(""), SLICE("")));
    lockout_done(&l);
    lockout_done(&again);
}

static void test_bounded(void **state) {
    struct lockout l;
    lockout_init(&l, &usual, &key);
    for (int i = 0; i < LOCKOUT_ENTRIES + 10; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        tried(&l, "192.0.2.1", user, false, at(0));
    }
    assert_int_equal(l.counters[LOCKOUT_ACCOUNT].map.n, LOCKOUT_ENTRIES);
    lockout_done(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays_double),
        cmocka_unit_test(test_address_locks),
        cmocka_unit_test(test_success_forgives_the_address),
        cmocka_unit_test(test_ipv6_counts_by_64),
        cmocka_unit_test(test_owner_is_not_locked_out),
        cmocka_unit_test(test_known_networks_are_bounded),
        cmocka_unit_test(test_trusted),
        cmocka_unit_test(test_clock_steps),
        cmocka_unit_test(test_tries_under_way),
        cmocka_unit_test(test_no_bounds),
        cmocka_unit_test(test_list_and_clear),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
