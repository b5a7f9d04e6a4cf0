// netaddr_test: addresses, endpoints and networks as text and back.
#include "wire/netaddr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_text(const struct buf *b, const char *want) {
    if (!slice_eq(buf_slice(b), slice_str(want)))
        fail_msg("got %.*s, want %s", SLICE_ARG(buf_slice(b)), want);
}

static void test_ip(void **state) {
    static const struct {
        const char *in, *out; // out NULL: refused
        enum netaddr_family family;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", NETADDR_V4},
        {"0.0.0.0", "0.0.0.0", NETADDR_V4},
        {"255.255.255.255", "255.255.255.255", NETADDR_V4},
        {"::ffff:192.0.2.1", "192.0.2.1", NETADDR_V4},
        {"::FFFF:c000:201", "192.0.2.1", NETADDR_V4},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", NETADDR_V6},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", NETADDR_V6},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1", NETADDR_V6},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", NETADDR_V6},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", NETADDR_V6},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", NETADDR_V6},
        {"1::", "1::", NETADDR_V6},
        {"::", "::", NETADDR_V6},
        {"::1", "::1", NETADDR_V6},
        {"::1:2", "::1:2", NETADDR_V6},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221", NETADDR_V6},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304", NETADDR_V6},
        {"", NULL, 0},
        {"1.2.3", NULL, 0},
        {"1.2.3.4.5", NULL, 0},
        {"1.2.3.4.", NULL, 0},
        {"1.2.3.256", NULL, 0},
        {"1.2.3.04", NULL, 0},
        {"1.2.3.-4", NULL, 0},
        {" 1.2.3.4", NULL, 0},
        {"0x1.2.3.4", NULL, 0},
        {":", NULL, 0},
        {":::", NULL, 0},
        {"1:2:3:4:5:6:7", NULL, 0},
        {"1:2:3:4:5:6:7:8:9", NULL, 0},
        {"1:2:3:4:5:6:7:8::", NULL, 0},
        {"1::2::3", NULL, 0},
        {"1:2:3:4:5:6:7:1.2.3.4", NULL, 0},
        {"1.2.3.4::", NULL, 0},
        {"1.2.3.4:1::", NULL, 0},
        {"12345::", NULL, 0},
        {":1::2", NULL, 0},
        {"1::2:", NULL, 0},
        {"fe80::1%eth0", NULL, 0},
        {"g::", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct netaddr a;
        bool ok = netaddr_parse_ip(slice_str(cases[i].in), &a);
        if (ok != (cases[i].out != NULL))
            fail_msg("%s: %s", cases[i].in, ok ? "taken" : "refused");
        if (!ok)
            continue;
        struct buf b BUF_AUTO = {.max = 64};
        assert_true(netaddr_add_ip(&b, &a));
        assert_text(&b, cases[i].out);
        assert_int_equal(a.family, cases[i].family);
        assert_int_equal(a.port, 0);
    }
}

static void test_endpoint(void **state) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"192.0.2.1:25", "192.0.2.1:25"},
        {"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
        {"*:25", "[::]:25"},
        {"[::ffff:1.2.3.4]:25", "1.2.3.4:25"},
        {"[::]:25", "[::]:25"},
        {"192.0.2.1", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:0", NULL},
        {"192.0.2.1:65536", NULL},
        {"[1.2.3.4]:25", NULL},
        {"2001:db8::1:25", NULL},
        {"::1", NULL},
        {"[::1]", NULL},
        {"[::1:25", NULL},
        {"localhost:25", NULL},
        {":25", NULL},
        {"[]:25", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct netaddr a;
        bool ok = netaddr_parse_endpoint(slice_str(cases[i].in), &a);
        if (ok != (cases[i].out != NULL))
            fail_msg("%s: %s", cases[i].in, ok ? "taken" : "refused");
        struct buf b BUF_AUTO = {.max = 64};
        if (!ok)
            continue;
        assert_true(netaddr_add_endpoint(&b, &a));
        assert_text(&b, cases[i].out);
    }
}

static void test_literal(void **state) {
    struct buf b BUF_AUTO = {.max = 64};
    struct netaddr a;
    assert_true(netaddr_parse_ip(SLICE("192.0.2.1"), &a));
    assert_true(netaddr_add_literal(&b, &a));
    assert_true(netaddr_parse_ip(SLICE("2001:db8::1"), &a));
    assert_true(netaddr_add_literal(&b, &a));
    assert_text(&b, "[192.0.2.1][IPv6:2001:db8::1]");
}

static void test_net(void **state) {
    static const struct {
        const char *net, *ip;
        bool valid, inside;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.2", true, true},
        {"10.0.0.0/8", "11.0.0.0", true, false},
        {"192.0.2.7", "192.0.2.7", true, true},
        {"192.0.2.7", "192.0.2.6", true, false},
        {"192.0.2.128/25", "192.0.2.129", true, true},
        {"192.0.2.128/25", "192.0.2.127", true, false},
        {"0.0.0.0/0", "255.0.0.1", true, true},
        {"0.0.0.0/0", "::1", true, false},
        {"::/0", "2001:db8::1", true, true},
        {"::/0", "1.2.3.4", true, false},
        {"2001:db8::/33", "2001:db8:7fff::1", true, true},
        {"2001:db8::/33", "2001:db8:8000::1", true, false},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true, true},
        {"10.0.0.0/8", "::ffff:10.0.0.1", true, true},
        {"::1/128", "::1", true, true},
        {"10.0.0.1/8", "10.0.0.1", false, false},
        {"10.0.0.0/33", "10.0.0.1", false, false},
        {"2001:db8::/129", "10.0.0.1", false, false},
        {"::ffff:0.0.0.0/95", "10.0.0.1", false, false},
        {"::ffff:1.2.3.4/32", "1.2.3.4", false, false},
        {"10.0.0.0/", "10.0.0.1", false, false},
        {"10.0.0.0/-1", "10.0.0.1", false, false},
        {"/8", "10.0.0.1", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct netaddr_net net;
        struct netaddr a;
        if (netaddr_parse_net(slice_str(cases[i].net), &net) != cases[i].valid)
            fail_msg("%s", cases[i].net);
        assert_true(netaddr_parse_ip(slice_str(cases[i].ip), &a));
        if (cases[i].valid && netaddr_in_net(&a, &net) != cases[i].inside)
            fail_msg("%s in %s", cases[i].ip, cases[i].net);
    }
}

static void test_loopback(void **state) {
    static const struct {
        const char *ip;
        bool yes;
    } cases[] = {{"127.0.0.1", true}, {"127.9.9.9", true},        {"::1", true},
                 {"::2", false},      {"::ffff:127.0.0.1", true}, {"128.0.0.1", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct netaddr a;
        assert_true(netaddr_parse_ip(slice_str(cases[i].ip), &a));
        assert_int_equal(netaddr_is_loopback(&a), cases[i].yes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ip),  cmocka_unit_test(test_endpoint), cmocka_unit_test(test_literal),
        cmocka_unit_test(test_net), cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
