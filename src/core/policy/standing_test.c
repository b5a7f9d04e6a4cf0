// standing_test: points and what they lead to, what good mail earns, probing, marks; what is kept.
#include "core/policy/standing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct hash_key key = {{1, 2}};
static const struct config_shutout usual = {.points = 30,
                                            .window = MS_HOUR,
                                            .time_first = 600000,
                                            .time_most = MS_DAY,
                                            .tarpit_first = 1000,
                                            .tarpit_most = 9000};

static struct wall at(int64_t ms) { return (struct wall){1700000000000 + ms}; }

static struct netaddr ip(const char *text) {
    struct netaddr a = {0};
    assert_true(netaddr_parse_ip(slice_str(text), &a));
    return a;
}

static struct standing_news seen_as(struct standing *s, enum message_seen_what what, const char *client,
                                    const char *domain, struct wall now) {
    struct netaddr a = ip(client);
    struct standing_news news;
    standing_seen(s, what, &a, slice_str(domain), now, &news);
    return news;
}

static struct standing_news seen(struct standing *s, enum message_seen_what what, const char *client, struct wall now) {
    return seen_as(s, what, client, "", now);
}

static struct standing_client of(const struct standing *s, const char *client, struct wall now) {
    struct netaddr a = ip(client);
    return standing_of_client(s, &a, now);
}

static bool relay(struct standing *s, const char *client, int n, struct wall now) {
    bool shut = false;
    while (n-- > 0)
        shut |= seen(s, MESSAGE_SEEN_RELAY, client, now).shut_out;
    return shut;
}

// Ten good messages over a day and a bit.
static void earn(struct standing *s, const char *client, const char *domain, struct wall from) {
    for (int i = 0; i < STANDING_GOOD; i++)
        seen_as(s, MESSAGE_SEEN_GOOD, client, domain, wall_add_ms(from, i * 3 * (int64_t)MS_HOUR));
}

static void test_points_shut_out(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    assert_false(relay(&s, "192.0.2.1", 5, at(0)));
    assert_false(of(&s, "192.0.2.1", at(0)).shut_out);
    struct standing_news news = seen(&s, MESSAGE_SEEN_RELAY, "192.0.2.1", at(0));
    assert_true(news.shut_out);
    assert_true(slice_eq(news.what, SLICE("192.0.2.1")));
    assert_int_equal(news.points, 30);
    assert_string_equal(news.why, "tried to relay: 6");
    struct standing_client c = of(&s, "192.0.2.1", at(1));
    assert_true(c.shut_out && !c.blocked && !c.known);
    assert_int_equal(c.until_ms, usual.time_first - 1);
    assert_false(of(&s, "192.0.2.2", at(1)).shut_out); // a neighbour
    assert_int_equal(standing_shut_out(&s, at(1)), 1);
    assert_false(of(&s, "192.0.2.1", at(usual.time_first)).shut_out);
    assert_int_equal(standing_shut_out(&s, at(usual.time_first)), 0);
    standing_done(&s);
}

static void test_shut_outs_double(void **state) {
    struct standing s;
    int64_t t = 0, want = usual.time_first;
    standing_init(&s, &usual, &key);
    for (int i = 0; i < 12; i++) {
        assert_true(relay(&s, "192.0.2.1", 6, at(t)));
        assert_int_equal(of(&s, "192.0.2.1", at(t)).until_ms, want);
        t += want;
        want = 2 * want < usual.time_most ? 2 * want : usual.time_most;
    }
    t += usual.time_most + usual.window + MS_DAY; // long ago: forgiven
    assert_true(relay(&s, "192.0.2.1", 6, at(t)));
    assert_int_equal(of(&s, "192.0.2.1", at(t)).until_ms, usual.time_first);
    standing_done(&s);
}

static void test_nothing_more_while_shut_out(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    assert_true(relay(&s, "192.0.2.1", 6, at(0)));
    assert_false(relay(&s, "192.0.2.1", 50, at(1))); // sessions that were open already
    assert_int_equal(of(&s, "192.0.2.1", at(1)).until_ms, usual.time_first - 1);
    standing_done(&s);
}

static void test_points_fade(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    for (int h = 0; h < 100; h++) // 25 in each hour, spread evenly
        for (int i = 0; i < 25; i++)
            assert_false(seen(&s, MESSAGE_SEEN_ERROR, "192.0.2.1", at(h * MS_HOUR + i * 144000)).shut_out);
    standing_done(&s);
}

static void test_good_mail_forgives(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    for (int i = 0; i < 1000; i++) { // a list with old addresses
        assert_false(seen(&s, MESSAGE_SEEN_UNKNOWN, "192.0.2.1", at(i * 1000)).shut_out);
        assert_false(seen(&s, MESSAGE_SEEN_GOOD, "192.0.2.1", at(i * 1000)).shut_out);
    }
    assert_int_equal(of(&s, "192.0.2.1", at(1000000)).tarpit_ms, 0);
    standing_done(&s);
}

static void test_tarpit_grows(void **state) {
    static const struct {
        int errors;
        int64_t ms;
    } rows[] = {{0, 0}, {14, 0}, {15, 1000}, {16, 1533}, {22, 4733}, {29, 8466}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct standing s;
        standing_init(&s, &usual, &key);
        for (int n = 0; n < rows[i].errors; n++)
            seen(&s, MESSAGE_SEEN_ERROR, "192.0.2.1", at(0));
        assert_int_equal(of(&s, "192.0.2.1", at(0)).tarpit_ms, rows[i].ms);
        standing_done(&s);
    }
}

static void test_known(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    for (int i = 0; i < 100; i++) // all at once earns nothing
        seen_as(&s, MESSAGE_SEEN_GOOD, "192.0.2.1", "example.net", at(i));
    assert_false(of(&s, "192.0.2.1", at(MS_DAY)).known);
    assert_false(standing_knows_domain(&s, SLICE("example.net"), at(MS_DAY)));
    seen_as(&s, MESSAGE_SEEN_GOOD, "192.0.2.1", "example.net", at(MS_DAY));
    assert_true(of(&s, "192.0.2.1", at(MS_DAY)).known);
    assert_true(standing_knows_domain(&s, SLICE("example.net"), at(MS_DAY)));
    assert_false(standing_knows_domain(&s, SLICE(""), at(MS_DAY)));
    assert_false(of(&s, "192.0.2.2", at(MS_DAY)).known);
    assert_false(of(&s, "192.0.2.1", at((STANDING_DAYS + 2LL) * MS_DAY)).known); // nothing since
    seen_as(&s, MESSAGE_SEEN_GOOD, "192.0.2.1", "", at((STANDING_DAYS + 2LL) * MS_DAY));
    assert_false(of(&s, "192.0.2.1", at((STANDING_DAYS + 2LL) * MS_DAY)).known); // begins anew
    standing_done(&s);
}

static void test_known_loses(void **state) {
    struct standing s;
    int64_t t = 2LL * MS_DAY;
    standing_init(&s, &usual, &key);
    earn(&s, "2001:db8:0:1::25", "example.net", at(0));
    assert_true(of(&s, "2001:db8:0:1::99", at(t)).known); // its /64
    assert_false(of(&s, "2001:db8:0:2::25", at(t)).known);
    for (int i = 0; i < 2; i++)
        seen_as(&s, MESSAGE_SEEN_REFUSED, "2001:db8:0:1::25", "example.net", at(t));
    assert_true(of(&s, "2001:db8:0:1::25", at(t)).known);
    seen_as(&s, MESSAGE_SEEN_REFUSED, "2001:db8:0:1::25", "example.net", at(t));
    assert_false(of(&s, "2001:db8:0:1::25", at(t)).known);
    assert_false(standing_knows_domain(&s, SLICE("example.net"), at(t)));
    assert_true(of(&s, "2001:db8:0:1::25", at(t + 2LL * MS_HOUR)).known); // faded
    assert_true(relay(&s, "2001:db8:0:1::25", 30, at(t + 2LL * MS_HOUR)));
    assert_false(of(&s, "2001:db8:0:1::25", at(t + 10LL * MS_DAY)).known); // to be earned again
    standing_done(&s);
}

static void test_known_has_more_room(void **state) {
    struct standing s;
    int64_t t = 2LL * MS_DAY;
    standing_init(&s, &usual, &key);
    earn(&s, "192.0.2.1", "", at(0));
    for (int i = 0; i < 100; i++)
        if (i % 2 == 0)
            assert_false(seen(&s, MESSAGE_SEEN_REFUSED, "192.0.2.1", at(t)).shut_out);
        else
            seen(&s, MESSAGE_SEEN_GOOD, "192.0.2.1", at(t)); // a large sender, of whose mail some is junk
    assert_false(of(&s, "192.0.2.1", at(t)).shut_out);
    standing_done(&s);
}

static void test_probing(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    for (int i = 0; i < STANDING_PROBES - 1; i++)
        assert_false(seen(&s, MESSAGE_SEEN_UNKNOWN, "192.0.2.1", at(i)).probing);
    struct standing_news news = seen(&s, MESSAGE_SEEN_UNKNOWN, "192.0.2.1", at(10));
    assert_true(news.probing);
    assert_int_equal(news.prober_kind, STANDING_ADDRESS);
    assert_true(slice_eq(news.prober, SLICE("192.0.2.1")));
    assert_int_equal(news.unknown, STANDING_PROBES);
    assert_false(seen(&s, MESSAGE_SEEN_UNKNOWN, "192.0.2.1", at(10)).probing); // is no network
    news = seen(&s, MESSAGE_SEEN_UNKNOWN, "192.0.2.2", at(11));                // another host of the same network
    assert_true(news.probing);
    assert_int_equal(news.prober_kind, STANDING_NETWORK);
    assert_true(slice_eq(news.prober, SLICE("192.0.2.0/24")));
    for (int i = 0; i < 10; i++) // once a window
        assert_false(seen(&s, MESSAGE_SEEN_UNKNOWN, "192.0.2.1", at(20 + i)).probing);
    standing_done(&s);
}

static void test_a_list_is_no_probe(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    for (int i = 0; i < 200; i++) {
        seen(&s, MESSAGE_SEEN_GOOD, "192.0.2.1", at(i));
        if (i % 5 == 0)
            assert_false(seen(&s, MESSAGE_SEEN_UNKNOWN, "192.0.2.1", at(i)).probing);
    }
    standing_done(&s);
}

static void test_never(void **state) {
    struct config_shutout never = usual;
    struct standing s;
    never.points = 0;
    standing_init(&s, &never, &key);
    assert_false(relay(&s, "192.0.2.1", 1000, at(0)));
    assert_false(of(&s, "192.0.2.1", at(0)).shut_out);
    assert_int_equal(of(&s, "192.0.2.1", at(0)).tarpit_ms, 0);
    earn(&s, "192.0.2.2", "", at(0));
    assert_true(of(&s, "192.0.2.2", at(2LL * MS_DAY)).known);
    standing_done(&s);
}

static void test_marks(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    assert_true(standing_set_mark(&s, SLICE("192.0.2.0/24"), STANDING_BLOCKED, at(0)));
    assert_true(standing_set_mark(&s, SLICE("192.0.2.7"), STANDING_ALLOWED, at(0)));
    assert_true(standing_set_mark(&s, SLICE("2001:db8::/32"), STANDING_BLOCKED, at(0)));
    assert_true(standing_set_mark(&s, SLICE("2001:db8:1:1::25"), STANDING_ALLOWED, at(0)));
    assert_true(standing_set_mark(&s, SLICE("example.net"), STANDING_ALLOWED, at(0)));
    assert_false(standing_set_mark(&s, SLICE("192.0.2.1/24"), STANDING_BLOCKED, at(0))); // host bits
    assert_false(standing_set_mark(&s, SLICE("a@example.net"), STANDING_ALLOWED, at(0)));
    assert_false(standing_set_mark(&s, SLICE("nonsense"), STANDING_ALLOWED, at(0)));
    assert_false(standing_set_mark(&s, SLICE(""), STANDING_ALLOWED, at(0)));
    assert_true(of(&s, "192.0.2.1", at(9)).blocked && of(&s, "192.0.2.1", at(9)).shut_out);
    assert_true(of(&s, "192.0.2.7", at(9)).known && !of(&s, "192.0.2.7", at(9)).shut_out);
    assert_true(of(&s, "2001:db8:ffff::1", at(9)).blocked);
    assert_true(of(&s, "2001:db8:1:1::77", at(9)).known);
    assert_false(of(&s, "198.51.100.1", at(9)).blocked);
    assert_true(standing_knows_domain(&s, SLICE("example.net"), at(9)));
    assert_false(standing_blocks_sender(&s, SLICE("a@example.net")));
    relay(&s, "192.0.2.7", 100, at(9));
    assert_false(of(&s, "192.0.2.7", at(9)).shut_out);
    assert_int_equal(standing_clear(&s, SLICE("192.0.2.7"), at(9)), 2); // the points as well
    assert_true(of(&s, "192.0.2.7", at(9)).blocked);
    assert_int_equal(standing_clear(&s, SLICE("192.0.2.0/24"), at(9)), 1);
    assert_false(of(&s, "192.0.2.7", at(9)).blocked);
    standing_done(&s);
}

static void test_blocked_names(void **state) {
    static const struct {
        const char *sender;
        bool blocked;
    } rows[] = {{"a@bad.example", true},
                {"a@sub.bad.example", true},
                {"a@notbad.example", false},
                {"a@good.bad.example", false},
                {"a@x.good.bad.example", false},
                {"spam@free.example", true},
                {"ham@free.example", false},
                {"spam@x.free.example", false},
                {"a@xn--bcher-kva.example", true},
                {"", false},
                {"a@example", false},
                {"postmaster", false}};
    struct standing s;
    standing_init(&s, &usual, &key);
    assert_false(standing_blocks_sender(&s, SLICE("a@bad.example")));
    assert_true(standing_set_mark(&s, SLICE("@bad.example"), STANDING_BLOCKED, at(0)));
    assert_true(standing_set_mark(&s, SLICE("good.bad.example"), STANDING_ALLOWED, at(0)));
    assert_true(standing_set_mark(&s, SLICE("spam@free.example"), STANDING_BLOCKED, at(0)));
    assert_true(standing_set_mark(&s,
                                  SLICE("b\xc3\xbc"
                                        "cher.example"),
                                  STANDING_BLOCKED, at(0)));
    assert_int_equal(s.blocked_names, 3);
    assert_true(standing_set_mark(&s, SLICE(".bad.example"), STANDING_BLOCKED, at(0))); // the same again
    assert_int_equal(s.blocked_names, 3);
    static const char *const none[] = {"spam@free.example/24", "@",           "a@", "@b", "*.bad.example",
                                       "a b@bad.example",      "bad..example"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(standing_set_mark(&s, slice_str(none[i]), STANDING_BLOCKED, at(0)));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (standing_blocks_sender(&s, slice_str(rows[i].sender)) != rows[i].blocked)
            fail_msg("%s", rows[i].sender);
    assert_false(of(&s, "192.0.2.1", at(0)).shut_out);
    assert_int_equal(standing_clear(&s, SLICE("bad.example"), at(1)), 1);
    assert_false(standing_blocks_sender(&s, SLICE("a@bad.example")));
    assert_true(standing_set_mark(&s, SLICE("spam@free.example"), STANDING_BLOCKED, at(0)));
    assert_int_equal(standing_clear(&s, SLICE("spam@free.example"), at(1)), 1);
    assert_int_equal(s.blocked_names, 1);
    standing_done(&s);
}

static void test_marks_are_bounded(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    for (int i = 0; i <= STANDING_MARKS; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.%d.%d.1", i / 250, i % 250);
        assert_int_equal(standing_set_mark(&s, slice_str(text), STANDING_BLOCKED, at(0)), i < STANDING_MARKS);
    }
    assert_true(of(&s, "10.0.0.1", at(0)).blocked);
    assert_true(standing_set_mark(&s, SLICE("10.0.0.1"), STANDING_ALLOWED, at(0))); // another word about the same
    assert_true(of(&s, "10.0.0.1", at(0)).known);
    standing_done(&s);
}

// --- lists, what is kept

struct text {
    char p[1024];
};

static void note(void *arg, const struct standing_line *l) {
    struct text *t = arg;
    size_t n = strlen(t->p);
    snprintf(t->p + n, sizeof t->p - n, "%s %.*s %u %u%s%s%s\n", standing_kind_name(l->kind), SLICE_ARG(l->what),
             l->points, l->good, l->shut_out ? " shut out" : "", l->known ? " known" : "",
             l->mark == STANDING_BLOCKED   ? " blocked"
             : l->mark == STANDING_ALLOWED ? " allowed"
                                           : "");
}

static void assert_list(const struct standing *s, const char *what, struct wall now, const char *want) {
    struct text t = {""};
    standing_list(s, slice_str(what), now, note, &t);
    assert_string_equal(t.p, want);
}

static void some(struct standing *s) {
    standing_init(s, &usual, &key);
    earn(s, "192.0.2.1", "example.net", at(-2LL * MS_DAY));
    relay(s, "198.51.100.1", 6, at(0));
    seen(s, MESSAGE_SEEN_UNKNOWN, "203.0.113.9", at(0));
    standing_set_mark(s, SLICE("10.0.0.0/8"), STANDING_BLOCKED, at(0));
}

static const char all[] = "network 10.0.0.0/8 0 0 blocked\n"
                          "address 198.51.100.1 30 0 shut out\n"
                          "address 203.0.113.9 1 0\n"
                          "network 203.0.113.0/24 1 0\n"
                          "address 192.0.2.1 0 10 known\n"
                          "domain example.net 0 10 known\n";

static void test_list_and_clear(void **state) {
    struct standing s;
    some(&s);
    assert_list(&s, "", at(1), all);
    assert_list(&s, "example.net", at(1), "domain example.net 0 10 known\n");
    assert_list(&s, "203.0.113.9", at(1), "address 203.0.113.9 1 0\n");
    assert_list(&s, "10.0.0.0/8", at(1), "network 10.0.0.0/8 0 0 blocked\n");
    assert_list(&s, "203.0.113.10", at(1), "");
    assert_int_equal(standing_clear(&s, SLICE("nobody"), at(1)), 0);
    assert_int_equal(standing_clear(&s, SLICE(""), at(1)), 3); // points; what was earned and said stays
    assert_list(&s, "", at(1),
                "network 10.0.0.0/8 0 0 blocked\naddress 192.0.2.1 0 10 known\ndomain example.net 0 10 known\n");
    assert_int_equal(standing_clear(&s, SLICE("192.0.2.1"), at(1)), 1);
    assert_false(of(&s, "192.0.2.1", at(1)).known);
    standing_done(&s);
}

static void test_kept(void **state) {
    struct standing s, again;
    size_t changes = 0;
    some(&s);
    standing_init(&again, &usual, &key);
    for (;; changes++) {
        BUF_AUTO struct buf k = {.max = 512}, v = {.max = 1024};
        if (!standing_next_change(&s, &k, &v))
            break;
        for (size_t cut = 1; cut < v.n; cut++)
            assert_false(standing_load(&again, buf_slice(&k), slice_of(v.p, cut)));
        assert_true(standing_load(&again, buf_slice(&k), buf_slice(&v)));
    }
    assert_int_equal(changes, 6);
    assert_list(&again, "", at(1), all);
    assert_true(of(&again, "10.9.9.9", at(1)).blocked);
    BUF_AUTO struct buf k = {.max = 512}, v = {.max = 1024};
    assert_false(standing_next_change(&again, &k, &v)); // it came from there
    standing_change_all(&again);
    assert_true(standing_next_change(&again, &k, &v));
    assert_false(standing_load(&again, SLICE("x"), SLICE("y")));
    assert_false(standing_load(&again, SLICE(""), SLICE("")));
    assert_false(standing_load(&again, SLICE("m"), SLICE("")));
    standing_done(&s);
    standing_done(&again);
}

// A busy sender costs a write now and then.
static void test_few_writes(void **state) {
    struct standing s;
    unsigned writes = 0;
    standing_init(&s, &usual, &key);
    earn(&s, "192.0.2.1", "", at(-2LL * MS_DAY));
    for (int i = 0; i < 3600; i++) {
        BUF_AUTO struct buf k = {.max = 512}, v = {.max = 1024};
        seen(&s, MESSAGE_SEEN_GOOD, "192.0.2.1", at(i * MS_SECOND));
        while (buf_reset(&k), buf_reset(&v), standing_next_change(&s, &k, &v))
            writes++;
    }
    assert_in_range(writes, 10, 20);
    assert_true(of(&s, "192.0.2.1", at(MS_HOUR)).known);
    standing_done(&s);
}

static void test_sweep(void **state) {
    struct standing s;
    some(&s);
    standing_sweep(&s, at(1));
    assert_list(&s, "", at(1), all);
    standing_sweep(&s, at(100LL * MS_DAY));
    for (int k = 0; k < STANDING_KINDS; k++)
        assert_int_equal(s.by[k].map.n, 0);
    assert_int_equal(s.marks.map.n, 1);
    standing_done(&s);
}

static void test_bounded(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    for (int i = 0; i < STANDING_ENTRIES + 10; i++) {
        char client[32];
        snprintf(client, sizeof client, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        seen(&s, MESSAGE_SEEN_ERROR, client, at(0));
    }
    assert_int_equal(s.by[STANDING_ADDRESS].map.n, STANDING_ENTRIES);
    assert_true(list_empty(&s.by[STANDING_ADDRESS].gone));
    standing_done(&s);
}

static void test_clock_steps_back(void **state) {
    struct standing s;
    standing_init(&s, &usual, &key);
    relay(&s, "192.0.2.1", 6, at(0));
    assert_false(of(&s, "192.0.2.1", at(-10LL * MS_DAY)).shut_out); // no longer than its longest
    assert_true(of(&s, "192.0.2.1", at(-MS_HOUR)).shut_out);
    standing_done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_shut_out),
        cmocka_unit_test(test_shut_outs_double),
        cmocka_unit_test(test_nothing_more_while_shut_out),
        cmocka_unit_test(test_points_fade),
        cmocka_unit_test(test_good_mail_forgives),
        cmocka_unit_test(test_tarpit_grows),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_known_loses),
        cmocka_unit_test(test_known_has_more_room),
        cmocka_unit_test(test_probing),
        cmocka_unit_test(test_a_list_is_no_probe),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_blocked_names),
        cmocka_unit_test(test_marks_are_bounded),
        cmocka_unit_test(test_list_and_clear),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_few_writes),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_clock_steps_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
