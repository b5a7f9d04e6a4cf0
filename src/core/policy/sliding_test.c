// sliding_test: counts within the last while; names of clients and networks.
#include "core/policy/client_name.h"
#include "core/policy/sliding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct wall at(int64_t ms) { return (struct wall){1700000000000 + ms}; }

static void test_sum(void **state) {
    struct sliding s = {.now = 0};
    sliding_add(&s, 1000, 10, at(0));
    assert_int_equal(sliding_sum(&s, 1000, at(0)), 10);
    assert_int_equal(sliding_sum(&s, 1000, at(999)), 10);
    assert_int_equal(sliding_sum(&s, 1000, at(1500)), 5);
    assert_int_equal(sliding_sum(&s, 1000, at(1999)), 1);
    assert_int_equal(sliding_sum(&s, 1000, at(2000)), 0);
    assert_int_equal(sliding_sum(&s, 1000, at(-5000)), 10); // the clock stepped back
    assert_int_equal(sliding_sum(&s, 0, at(0)), 0);
    sliding_add(&s, 1000, 4, at(1500));
    assert_int_equal(sliding_sum(&s, 1000, at(1500)), 9);
    assert_int_equal(sliding_sum(&s, 1000, at(2500)), 2);
    sliding_add(&s, 1000, 1, at(9000));
    assert_int_equal(sliding_sum(&s, 1000, at(9000)), 1);
}

static void test_take(void **state) {
    struct sliding s = {.now = 0};
    sliding_add(&s, 1000, 10, at(0));
    sliding_add(&s, 1000, 2, at(1000));
    sliding_take(&s, 1000, 5, at(1000)); // two of now, three of before
    assert_int_equal(sliding_sum(&s, 1000, at(1000)), 7);
    sliding_take(&s, 1000, 100, at(1000));
    assert_int_equal(sliding_sum(&s, 1000, at(1000)), 0);
    for (int i = 0; i < 10; i++)
        sliding_add(&s, 1000, UINT32_MAX, at(1000));
    assert_true(sliding_sum(&s, 1000, at(1000)) > 1000000000);
}

static void test_kept(void **state) {
    BUF_AUTO struct buf b = {.max = 64};
    struct sliding s = {.start = at(0), .now = 3, .before = 4}, got;
    sliding_pack(&b, &s);
    struct unpack u = {.rest = buf_slice(&b)};
    sliding_unpack(&u, &got);
    assert_true(unpack_end(&u) && got.now == 3 && got.before == 4 && got.start.ms == s.start.ms);
    memset(b.p, 0xff, b.n);
    u = (struct unpack){.rest = buf_slice(&b)};
    sliding_unpack(&u, &got);
    assert_true(u.bad);
}

static void test_names(void **state) {
    static const struct {
        const char *ip, *address, *network;
    } rows[] = {{"192.0.2.77", "192.0.2.77", "192.0.2.0/24"},
                {"2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"},
                {"::1", "::/64", "::/48"},
                {"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.0/24"}};
    char to[CLIENT_NAME];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct netaddr a = {0};
        assert_true(netaddr_parse_ip(slice_str(rows[i].ip), &a));
        a.port = 25;
        assert_true(slice_eq(client_name_address(&a, to), slice_str(rows[i].address)));
        assert_true(slice_eq(client_name_network(&a, to), slice_str(rows[i].network)));
    }
    struct netaddr a = {0};
    assert_int_equal(client_name_address(&a, to).n, 0);
    assert_true(netaddr_parse_ip(SLICE("255.255.255.255"), &a));
    assert_true(slice_eq(client_name_net(&a, 19, to), SLICE("255.255.224.0/19")));
    assert_true(slice_eq(client_name_net(&a, 0, to), SLICE("0.0.0.0/0")));
    assert_true(netaddr_parse_ip(SLICE("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), &a));
    assert_true(slice_eq(client_name_net(&a, 127, to), SLICE("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
