// iprev_test: names that lead back, that don't, and that nobody knows.
#include "core/gate/iprev.h"

#include "mail/oracle/oracle_zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static const char zone_text[] =
    "1.2.0.192.in-addr.arpa. PTR mail.example.\n"
    "mail.example. A 192.0.2.1\n"
    "2.2.0.192.in-addr.arpa. PTR liar.example.\n"
    "liar.example. A 192.0.2.99\n"
    "3.2.0.192.in-addr.arpa. PTR liar.example.\n"
    "3.2.0.192.in-addr.arpa. PTR honest.example.\n"
    "honest.example. A 192.0.2.98\n"
    "honest.example. A 192.0.2.3\n"
    "4.2.0.192.in-addr.arpa. TIMEOUT\n"
    "5.2.0.192.in-addr.arpa. PTR slow.example.\n"
    "slow.example. TIMEOUT\n"
    "6.2.0.192.in-addr.arpa. TXT nothing\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR six.example.\n"
    "six.example. AAAA 2001:db8::1\n"
    "six.example. A 192.0.2.7\n";

static struct oracle_zone *zone(void) {
    struct err e = {0};
    struct oracle_zone *z = oracle_zone_new(slice_str(zone_text), &e);
    if (!z)
        fail_msg("%s", e.text);
    return z;
}

static struct netaddr ip_of(const char *text) {
    struct netaddr ip;
    assert_true(netaddr_parse_ip(slice_str(text), &ip));
    return ip;
}

static void test_names(void **state) {
    static const struct {
        const char *ip;
        enum auth_results_iprev expected;
        const char *name;
    } cases[] = {
        {"192.0.2.1", AUTH_IPREV_PASS, "mail.example"},
        {"192.0.2.2", AUTH_IPREV_FAIL, "liar.example"},
        {"192.0.2.3", AUTH_IPREV_PASS, "honest.example"},
        {"192.0.2.4", AUTH_IPREV_TEMPERROR, ""},
        {"192.0.2.5", AUTH_IPREV_TEMPERROR, "slow.example"},
        {"192.0.2.6", AUTH_IPREV_PERMERROR, ""},
        {"192.0.2.7", AUTH_IPREV_PERMERROR, ""},
        {"2001:db8::1", AUTH_IPREV_PASS, "six.example"},
    };
    struct oracle_zone *z = zone();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        struct netaddr ip = ip_of(cases[i].ip);
        struct iprev found;
        iprev_check(&ip, oracle_zone_oracle(z), &arena, &found);
        if (found.result != cases[i].expected || !slice_eq(found.name, slice_str(cases[i].name)))
            fail_msg("%s: %d %.*s", cases[i].ip, (int)found.result, SLICE_ARG(found.name));
    }
    oracle_zone_free(z);
}

// Whoever has ten thousand names has ten.
static void test_many_names(void **state) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct oracle_zone *z = oracle_zone_empty();
    struct netaddr ip = ip_of("192.0.2.1");
    struct iprev found;
    struct err e;
    for (int i = 0; i < 50; i++) {
        char line[80];
        snprintf(line, sizeof line, "1.2.0.192.in-addr.arpa. PTR n%d.example.", i);
        assert_true(oracle_zone_add(z, slice_str(line), &e));
    }
    assert_true(oracle_zone_add(z, SLICE("n49.example. A 192.0.2.1"), &e));
    iprev_check(&ip, oracle_zone_oracle(z), &arena, &found);
    assert_int_equal(found.result, AUTH_IPREV_FAIL);
    oracle_zone_free(z);
}

static void test_no_room(void **state) {
    struct oracle_zone *z = zone();
    struct netaddr ip = ip_of("192.0.2.1");
    for (size_t max = 0; max < 2000; max += 16) {
        ARENA_AUTO struct arena arena = {.max = max};
        struct iprev found;
        iprev_check(&ip, oracle_zone_oracle(z), &arena, &found);
        assert_true(found.result == AUTH_IPREV_PASS || found.result == AUTH_IPREV_TEMPERROR);
    }
    oracle_zone_free(z);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_many_names),
                                       cmocka_unit_test(test_no_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
