// plan_test: waits stay between their bounds and grow; windows open, close and die.
#include "core/queue/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_waits(void **state) {
    static const struct {
        int64_t first, most;
        uint32_t attempts;
        int64_t middle;
    } cases[] = {
        {300000, 14400000, 1, 300000},
        {300000, 14400000, 2, 600000},
        {300000, 14400000, 5, 4800000},
        {300000, 14400000, 7, 14400000},
        {300000, 14400000, 4000000000u, 14400000},
        {1000, 1000, 3, 1000},
        {INT64_MAX / 2, INT64_MAX / 2 + 5, 9, INT64_MAX / 2 + 5},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t m = cases[i].middle, quarter = m / 4;
        assert_int_equal(plan_wait_ms(cases[i].first, cases[i].most, cases[i].attempts, 0), m - quarter);
        assert_int_equal(plan_wait_ms(cases[i].first, cases[i].most, cases[i].attempts, (uint64_t)quarter), m);
        int64_t most = plan_wait_ms(cases[i].first, cases[i].most, cases[i].attempts, (uint64_t)(2 * quarter));
        assert_int_equal(most, m + quarter);
    }
    assert_int_equal(plan_wait_ms(0, 0, 1, 77), 1);
    assert_int_equal(plan_wait_ms(2, 2, 0, 77), 2);
}

static void test_window_grows(void **state) {
    struct plan_window w;
    plan_window_init(&w, 2, 4);
    assert_int_equal(plan_window_room(&w), 2);
    plan_window_worked(&w);
    assert_int_equal(plan_window_room(&w), 2);
    plan_window_worked(&w);
    assert_int_equal(plan_window_room(&w), 3);
    for (int i = 0; i < 100; i++)
        plan_window_worked(&w);
    assert_int_equal(plan_window_room(&w), 4);
}

static void test_window_shrinks_and_dies(void **state) {
    struct plan_window w;
    plan_window_init(&w, 8, 50);
    static const struct {
        uint32_t room;
        bool dead;
    } steps[] = {{4, false}, {2, true}};
    plan_window_failed(&w);
    assert_int_equal(plan_window_room(&w), steps[0].room);
    assert_false(w.dead);
    plan_window_worked(&w); // one success in between: no row
    plan_window_failed(&w);
    assert_int_equal(plan_window_room(&w), 2);
    assert_false(w.dead);
    plan_window_failed(&w);
    assert_true(w.dead);
    assert_int_equal(plan_window_room(&w), 1);
    plan_window_worked(&w);
    assert_false(w.dead);
    assert_int_equal(w.failures, 0);
    plan_window_init(&w, 0, 0);
    assert_int_equal(plan_window_room(&w), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_window_grows),
        cmocka_unit_test(test_window_shrinks_and_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
