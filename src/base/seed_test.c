// seed_test: the same numbers from the same seed on every machine, and an even spread.
#include "base/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_same(void **state) {
    struct seed a = {.state = 42}, b = {.state = 42}, c = {.state = 43};
    int differ = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t v = seed_next(&a);
        assert_true(v == seed_next(&b));
        differ += v != seed_next(&c);
    }
    assert_int_equal(differ, 100);
}

static void test_below(void **state) {
    struct seed s = {.state = 1};
    int count[7] = {0};
    assert_int_equal(seed_below(&s, 0), 0);
    assert_int_equal(seed_below(&s, 1), 0);
    for (int i = 0; i < 70000; i++)
        count[seed_below(&s, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(count[i], 9500, 10500);
    for (int i = 0; i < 1000; i++)
        assert_true(seed_below(&s, UINT64_MAX) < UINT64_MAX);
}

static void test_chance(void **state) {
    struct seed s = {.state = 1};
    int yes = 0;
    for (int i = 0; i < 10000; i++) {
        assert_false(seed_chance(&s, 0));
        assert_true(seed_chance(&s, 1000));
        yes += seed_chance(&s, 250);
    }
    assert_in_range(yes, 2300, 2700);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_below),
                                       cmocka_unit_test(test_chance)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
