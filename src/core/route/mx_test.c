// mx_test: the order of mail hosts, one row per rule.
#include "core/route/mx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static struct message_dns_record mx(uint16_t preference, const char *name) {
    return (struct message_dns_record){.preference = preference, .text = slice_str(name)};
}

static struct message_dns_record ip(const char *text) {
    struct message_dns_record r = {0};
    assert_true(netaddr_parse_ip(slice_str(text), &r.ip));
    return r;
}

struct row {
    const char *what;
    enum message_dns_status status;
    enum message_dns_security security;
    struct {
        uint16_t preference;
        const char *name;
    } in[6];
    const char *out; // names in order, or the error's code and status
    bool implicit;
};

// Names that share a preference are written so that sorting each group by name gives `out`.
static const struct row rows[] = {
    {"by preference",
     0,
     0,
     {{20, "b.example"}, {10, "a.example"}, {30, "c.example"}},
     "a.example b.example c.example",
     0},
    {"case and final dot", 0, 0, {{10, "MX.Example."}}, "mx.example", 0},
    {"the better of doubles", 0, 0, {{20, "a.example"}, {10, "b.example"}, {5, "A.example"}}, "a.example b.example", 0},
    {"no MX", MESSAGE_DNS_NODATA, 0, {{0, NULL}}, "example.org", true},
    {"no record", MESSAGE_DNS_OK, 0, {{0, NULL}}, "example.org", true},
    {"no domain", MESSAGE_DNS_NXDOMAIN, 0, {{0, NULL}}, "550 5.1.2", 0},
    {"no answer", MESSAGE_DNS_FAILED, 0, {{0, NULL}}, "451 4.4.3", 0},
    {"forged", MESSAGE_DNS_OK, MESSAGE_DNS_BOGUS, {{10, "a.example"}}, "451 4.4.3", 0},
    {"forged absence", MESSAGE_DNS_NXDOMAIN, MESSAGE_DNS_BOGUS, {{0, NULL}}, "451 4.4.3", 0},
    {"null MX", 0, 0, {{0, "."}}, "556 5.1.10", 0},
    {"null MX, empty name", 0, 0, {{0, ""}}, "556 5.1.10", 0},
    {"root among others", 0, 0, {{0, ""}, {10, "a.example"}}, "a.example", 0},
    {"ourselves last", 0, 0, {{10, "a.example"}, {20, "self.example"}}, "a.example", 0},
    {"worse than ourselves", 0, 0, {{10, "a.example"}, {20, "SELF.example"}, {30, "c.example"}}, "a.example", 0},
    {"equal to ourselves", 0, 0, {{10, "a.example"}, {20, "self.example"}, {20, "c.example"}}, "a.example", 0},
    {"ourselves best", 0, 0, {{10, "self.example"}, {20, "b.example"}}, "554 5.4.6", 0},
    {"ourselves alone", 0, 0, {{10, "self.example"}}, "554 5.4.6", 0},
};

static void check_row(const struct row *row, uint64_t seed_value) {
    ARENA_AUTO struct arena arena = {.max = 65536};
    struct message_dns_record records[6];
    size_t n = 0;
    for (; n < 6 && row->in[n].name; n++)
        records[n] = mx(row->in[n].preference, row->in[n].name);
    struct message_resolve_reply answer = {
        .status = row->status, .security = row->security, .records = records, .records_n = n};
    struct seed random = {seed_value};
    struct mx_list list = {0};
    struct err e = {0};
    char got[256] = "";
    if (mx_order(SLICE("Example.ORG"), &answer, SLICE("self.example"), &random, &arena, &list, &e)) {
        size_t at = 0;
        for (size_t i = 0; i < list.n; i++)
            at += (size_t)snprintf(got + at, sizeof got - at, "%s%.*s", i ? " " : "", SLICE_ARG(list.hosts[i].name));
        assert_int_equal(list.implicit, row->implicit);
    } else {
        snprintf(got, sizeof got, "%d %d.%d.%d", e.smtp, e.enhanced[0], e.enhanced[1], e.enhanced[2]);
        assert_int_equal(err_is_permanent(&e), e.smtp >= 500);
    }
    if (strcmp(got, row->out) != 0)
        fail_msg("%s: got \"%s\", not \"%s\"", row->what, got, row->out);
}

static void orders(void **state) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint64_t s = 0; s < 20; s++)
            check_row(&rows[i], s);
}

static void equals_come_in_every_order(void **state) {
    struct message_dns_record records[] = {mx(10, "a"), mx(10, "b"), mx(5, "first"), mx(10, "c"), mx(90, "last")};
    struct message_resolve_reply answer = {.records = records, .records_n = 5};
    struct seed random = {7};
    int seen[3][3] = {{0}};
    for (int round = 0; round < 3000; round++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        struct mx_list list;
        struct err e;
        assert_true(mx_order(SLICE("x"), &answer, SLICE("self"), &random, &arena, &list, &e));
        assert_true(slice_eq(list.hosts[0].name, SLICE("first")) && slice_eq(list.hosts[4].name, SLICE("last")));
        for (size_t i = 0; i < 3; i++)
            seen[i][list.hosts[i + 1].name.p[0] - 'a']++;
    }
    for (int i = 0; i < 9; i++)
        assert_in_range(seen[i / 3][i % 3], 850, 1150);
}

static void many_hosts_are_cut(void **state) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct message_dns_record records[MESSAGE_DNS_RECORDS_MAX];
    for (uint16_t i = 0; i < MESSAGE_DNS_RECORDS_MAX; i++)
        records[i] = (struct message_dns_record){(uint16_t)(1000 - i), {0}, arena_printf(&arena, "h%u", i)};
    struct message_resolve_reply answer = {.records = records, .records_n = MESSAGE_DNS_RECORDS_MAX};
    struct seed random = {1};
    struct mx_list list;
    struct err e;
    assert_true(mx_order(SLICE("x"), &answer, SLICE("self"), &random, &arena, &list, &e));
    assert_int_equal(list.n, MX_HOSTS_MAX);
    assert_true(slice_eq(list.hosts[0].name, SLICE("h99")));
}

static void addresses_take_turns(void **state) {
    struct message_dns_record four[] = {ip("192.0.2.1"), ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3")};
    struct message_dns_record six[] = {ip("2001:db8::1"), ip("192.0.2.9")};
    struct message_resolve_reply a = {.records = four, .records_n = 4}, aaaa = {.records = six, .records_n = 2};
    struct seed random = {3};
    struct netaddr out[MX_ADDRESSES_MAX];
    assert_int_equal(mx_addresses(&a, &aaaa, 2525, &random, out), 4);
    enum netaddr_family want[] = {NETADDR_V6, NETADDR_V4, NETADDR_V4, NETADDR_V4};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(out[i].family, want[i]);
        assert_int_equal(out[i].port, 2525);
    }
    a.security = MESSAGE_DNS_BOGUS;
    assert_int_equal(mx_addresses(&a, &aaaa, 25, &random, out), 1);
}

static void a_host_without_address(void **state) {
    struct message_resolve_reply none = {.status = MESSAGE_DNS_NODATA}, failed = {.status = MESSAGE_DNS_FAILED};
    struct err e = {0};
    assert_false(mx_no_address(SLICE("h"), false, &none, &none, &e));
    assert_int_equal(e.enhanced[1] * 10 + e.enhanced[2], 44);
    assert_true(err_is_permanent(&e));
    assert_false(mx_no_address(SLICE("h"), true, &none, &none, &e));
    assert_int_equal(e.enhanced[1] * 10 + e.enhanced[2], 12);
    assert_false(mx_no_address(SLICE("h"), true, &none, &failed, &e));
    assert_false(err_is_permanent(&e));
}

static void cut_by_address(void **state) {
    struct mx_host hosts[] = {{SLICE("a"), 5}, {SLICE("b"), 10}, {SLICE("c"), 10}, {SLICE("d"), 20}};
    struct mx_list list = {.hosts = hosts, .n = 4};
    struct err e;
    assert_true(mx_cut(&list, 2, SLICE("x"), &e));
    assert_int_equal(list.n, 1);
    assert_false(mx_cut(&list, 0, SLICE("x"), &e));
    assert_int_equal(e.smtp, 554);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders),
        cmocka_unit_test(equals_come_in_every_order),
        cmocka_unit_test(many_hosts_are_cut),
        cmocka_unit_test(addresses_take_turns),
        cmocka_unit_test(a_host_without_address),
        cmocka_unit_test(cut_by_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
