// dnsbl_test: lists that answer as they should, and those that don't.
#include "core/gate/dnsbl.h"

#include "mail/oracle/oracle_zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static const char zone_text[] =
    "2.0.0.127.good.example. A 127.0.0.2\n"
    "2.0.0.f.7.0.0.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.x. A 127.0.0.2\n" // not what is asked
    "1.2.0.192.good.example. A 127.0.0.4\n"
    "1.2.0.192.good.example. A 127.0.0.10\n"
    "1.2.0.192.good.example. TXT \"a \\009 b\"\n"
    "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.six.example. A 127.0.0.2\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.six.example. A 127.0.0.2\n"
    "*.all.example. A 127.0.0.2\n"
    "*.parked.example. A 198.51.100.1\n"
    "*.refuses.example. A 127.255.255.254\n"
    "2.0.0.127.slow.example. TIMEOUT\n"
    "1.0.0.127.slow.example. TIMEOUT\n"
    "test.names.example. A 127.0.1.2\n"
    "bad.example.names.example. A 127.0.1.2\n"
    "test.allnames.example. A 127.0.1.2\n"
    "invalid.allnames.example. A 127.0.1.2\n"
    "1.2.0.192.white.example. A 127.0.5.1\n"
    "empty.example. TXT x\n";

static struct oracle_zone *zone(void) {
    struct err e = {0};
    struct oracle_zone *z = oracle_zone_new(slice_str(zone_text), &e);
    if (!z)
        fail_msg("%s", e.text);
    return z;
}

static void test_self_test(void **state) {
    static const struct {
        const char *zone;
        enum config_list_of of;
        enum dnsbl_state expected;
    } cases[] = {
        {"good.example", CONFIG_LIST_CLIENT, DNSBL_GOOD},        {"six.example", CONFIG_LIST_CLIENT, DNSBL_GOOD},
        {"all.example", CONFIG_LIST_CLIENT, DNSBL_LISTS_ALL},    {"parked.example", CONFIG_LIST_CLIENT, DNSBL_DEAD},
        {"refuses.example", CONFIG_LIST_CLIENT, DNSBL_DEAD},     {"slow.example", CONFIG_LIST_CLIENT, DNSBL_DEAD},
        {"empty.example", CONFIG_LIST_CLIENT, DNSBL_DEAD},       {"gone.example", CONFIG_LIST_CLIENT, DNSBL_DEAD},
        {"names.example", CONFIG_LIST_SENDER, DNSBL_GOOD},       {"names.example", CONFIG_LIST_HELO, DNSBL_GOOD},
        {"allnames.example", CONFIG_LIST_HELO, DNSBL_LISTS_ALL}, {"good.example", CONFIG_LIST_SENDER, DNSBL_DEAD},
    };
    struct oracle_zone *z = zone();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        struct config_list list = {.zone = slice_str(cases[i].zone), .of = cases[i].of};
        struct dnsbl_test t;
        dnsbl_self_test(&list, oracle_zone_oracle(z), &arena, &t);
        if (t.state != cases[i].expected)
            fail_msg("%s: %s (%.*s)", cases[i].zone, dnsbl_state_name(t.state), SLICE_ARG(t.words));
        assert_int_equal(t.words.n == 0, t.state == DNSBL_GOOD);
    }
    oracle_zone_free(z);
}

static struct config_list_codes four = {{127, 0, 0, 4}, {127, 0, 0, 4}}, nine = {{127, 0, 0, 9}, {127, 0, 0, 9}};

static void test_weights(void **state) {
    const struct config_list lists[] = {
        {.zone = SLICE("good.example"), .weight = 5},
        {.zone = SLICE("good.example"), .weight = 3, .codes = &four, .codes_n = 1},
        {.zone = SLICE("good.example"), .weight = 100, .codes = &nine, .codes_n = 1},
        {.zone = SLICE("white.example"), .weight = 2, .allow = true},
        {.zone = SLICE("parked.example"), .weight = 100},
        {.zone = SLICE("refuses.example"), .weight = 100},
        {.zone = SLICE("slow.example"), .weight = 100},
        {.zone = SLICE("names.example"), .weight = 100, .of = CONFIG_LIST_SENDER},
    };
    ARENA_AUTO struct arena arena = {.max = 65536};
    struct oracle_zone *z = zone();
    struct dnsbl_query q = {.lists = lists, .n = sizeof lists / sizeof *lists, .of = CONFIG_LIST_CLIENT};
    struct dnsbl d;
    assert_true(netaddr_parse_ip(SLICE("192.0.2.1"), &q.ip));
    dnsbl_check(&q, oracle_zone_oracle(z), &arena, &d);
    assert_int_equal(d.score, 6);
    assert_true(d.allowed);
    assert_int_equal(d.listed_n, 3);
    struct slice reasons = dnsbl_reasons(&d, oracle_zone_oracle(z), &arena);
    const char *expected = "good.example (127.0.0.4: a   b), good.example (127.0.0.4: a   b)";
    if (!slice_eq(reasons, slice_str(expected)))
        fail_msg("%.*s", SLICE_ARG(reasons));
    q.of = CONFIG_LIST_SENDER;
    q.name = SLICE("bad.example.");
    dnsbl_check(&q, oracle_zone_oracle(z), &arena, &d);
    assert_int_equal(d.score, 100);
    q.name = SLICE("[192.0.2.1]");
    dnsbl_check(&q, oracle_zone_oracle(z), &arena, &d);
    assert_int_equal(d.score, 0);
    oracle_zone_free(z);
}

static void test_ipv6(void **state) {
    const struct config_list list = {.zone = SLICE("six.example"), .weight = 4};
    ARENA_AUTO struct arena arena = {.max = 65536};
    struct oracle_zone *z = zone();
    struct dnsbl_query q = {.lists = &list, .n = 1, .of = CONFIG_LIST_CLIENT};
    struct dnsbl d;
    assert_true(netaddr_parse_ip(SLICE("2001:db8::1"), &q.ip));
    dnsbl_check(&q, oracle_zone_oracle(z), &arena, &d);
    assert_int_equal(d.score, 4);
    oracle_zone_free(z);
}

// More lists than can be asked at once, and names that would be too long.
static void test_many(void **state) {
    static struct config_list lists[150];
    static char name[240];
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct oracle_zone *z = zone();
    struct dnsbl_query q = {.lists = lists, .n = 150, .of = CONFIG_LIST_CLIENT};
    struct dnsbl d;
    for (size_t i = 0; i < 150; i++)
        lists[i] = (struct config_list){.zone = SLICE("good.example"), .weight = 1};
    assert_true(netaddr_parse_ip(SLICE("192.0.2.1"), &q.ip));
    dnsbl_check(&q, oracle_zone_oracle(z), &arena, &d);
    assert_int_equal(d.score, 150);
    assert_true(dnsbl_reasons(&d, oracle_zone_oracle(z), &arena).n <= 400);
    memset(name, 'a', sizeof name);
    lists[0].of = q.of = CONFIG_LIST_HELO;
    q.name = slice_of(name, sizeof name);
    dnsbl_check(&q, oracle_zone_oracle(z), &arena, &d);
    assert_int_equal(d.score, 0);
    oracle_zone_free(z);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_self_test),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
