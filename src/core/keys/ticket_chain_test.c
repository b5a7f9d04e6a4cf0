// ticket_chain_test: processes agree, roles don't, and nothing leads back.
#include "core/keys/ticket_chain.h"

#include "core/message/message_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX = 1 << 16, K = MESSAGE_TICKET_KEY };

static const struct ticket_chain start = {.epoch = 100, .secret = "a secret of thirty-two bytes..."};

static void test_epochs(void **state) {
    (void)state;
    assert_int_equal(ticket_epoch((struct wall){0}, 4000), 0);
    assert_int_equal(ticket_epoch((struct wall){999}, 4000), 0);
    assert_int_equal(ticket_epoch((struct wall){1000}, 4000), 1);
    assert_int_equal(ticket_epoch((struct wall){7}, 1), 7);
}

static void test_pack(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct ticket_chain got;
    (void)state;
    assert_true(ticket_chain_pack(&b, &start));
    assert_true(ticket_chain_unpack(buf_slice(&b), &got));
    assert_int_equal(got.epoch, 100);
    assert_memory_equal(got.secret, start.secret, sizeof got.secret);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_false(ticket_chain_unpack(slice_upto(buf_slice(&b), cut), &got));
}

// The key that encrypts now is among those that decrypt while its tickets live, then no more.
static void test_life(void **state) {
    BUF_AUTO struct buf now = {.max = MAX}, later = {.max = MAX};
    (void)state;
    ticket_chain_keys(&start, SLICE("mx"), 102, &now);
    assert_int_equal(now.n, 4 * K); // 102, 103, 101, 100
    for (int64_t epoch = 101; epoch <= 107; epoch++) {
        buf_reset(&later);
        ticket_chain_keys(&start, SLICE("mx"), epoch, &later);
        bool there = slice_search(buf_slice(&later), slice_of(now.p, K)) < later.n;
        assert_int_equal(there, epoch <= 106);
        assert_true(later.n <= 6 * K);
    }
}

static void test_agreement(void **state) {
    BUF_AUTO struct buf a = {.max = MAX}, b = {.max = MAX}, c = {.max = MAX};
    struct ticket_chain later = start;
    (void)state;
    assert_true(ticket_chain_advance(&later, 106));
    assert_int_equal(later.epoch, 106);
    ticket_chain_keys(&start, SLICE("mx"), 110, &a);
    ticket_chain_keys(&later, SLICE("mx"), 110, &b);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
    ticket_chain_keys(&start, SLICE("submission"), 110, &c);
    assert_int_equal(a.n, c.n);
    for (size_t i = 0; i < a.n; i += K) // no role knows a key of another
        assert_true(slice_search(buf_slice(&c), slice_of(a.p + i, K)) == c.n);
}

static void test_limits(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct ticket_chain c = start;
    (void)state;
    ticket_chain_keys(&c, SLICE("mx"), 99, &b);
    assert_int_equal(b.n, 0);
    assert_true(ticket_chain_advance(&c, 5)); // never back
    assert_int_equal(c.epoch, 100);
    assert_false(ticket_chain_advance(&c, 100 + TICKET_STEPS_MAX + 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_epochs), cmocka_unit_test(test_pack),
                                       cmocka_unit_test(test_life), cmocka_unit_test(test_agreement),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
