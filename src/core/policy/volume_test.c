// volume_test: learning, what is unusual and when it is said, fading, what is kept.
#include "core/policy/volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t day = MS_DAY, hour = MS_HOUR;

static struct wall at(int64_t ms) { return (struct wall){19676 * day + ms}; } // a midnight

// `n` in each hour of so many days.
static void live(struct volume *v, enum volume_figure f, uint32_t n, int64_t from, int days) {
    for (int h = 0; h < days * 24; h++)
        assert_false(volume_count(v, f, n, at(from + h * hour)));
}

static void test_learns(void **state) {
    struct volume v = {.changed = 0};
    assert_false(volume_count(&v, VOLUME_IN, 1000000, at(0)));
    assert_false(volume_count(&v, VOLUME_IN, 1, at(VOLUME_LEARN_DAYS * day - 1)));
}

static void test_unusual(void **state) {
    struct volume v = {.changed = 0};
    live(&v, VOLUME_IN, 100, 0, 10);
    assert_false(volume_count(&v, VOLUME_IN, 400, at(10 * day)));
    assert_true(volume_count(&v, VOLUME_IN, 1, at(10 * day)));
    struct volume_look look = volume_look(&v, VOLUME_IN, at(10 * day));
    assert_int_equal(look.value, 401);
    assert_int_equal(look.baseline, 100);
    assert_true(look.unusual);
    assert_false(volume_count(&v, VOLUME_IN, 1000, at(10 * day)));        // once
    assert_false(volume_count(&v, VOLUME_IN, 1000, at(10 * day + hour))); // goes on
    assert_true(volume_look(&v, VOLUME_IN, at(10 * day + hour)).unusual);
    assert_false(volume_count(&v, VOLUME_IN, 100, at(10 * day + 2 * hour))); // an hour as usual
    assert_false(volume_look(&v, VOLUME_IN, at(10 * day + 3 * hour)).unusual);
    assert_true(volume_count(&v, VOLUME_IN, 500, at(10 * day + 3 * hour)));
    assert_false(volume_look(&v, VOLUME_OUT, at(10 * day)).unusual);
}

static void test_small_figures_are_never_unusual(void **state) {
    struct volume v = {.changed = 0};
    live(&v, VOLUME_OUT, 1, 0, 10);
    assert_false(volume_count(&v, VOLUME_OUT, VOLUME_LEAST, at(10 * day)));
    assert_true(volume_count(&v, VOLUME_OUT, 1, at(10 * day)));
}

static void test_baseline_fades(void **state) {
    struct volume v = {.changed = 0};
    live(&v, VOLUME_UNKNOWN, 1000, 0, 1);
    volume_count(&v, VOLUME_UNKNOWN, 1, at(1 * day));
    assert_int_equal(volume_look(&v, VOLUME_UNKNOWN, at(1 * day)).baseline, 1000);
    assert_in_range(volume_look(&v, VOLUME_UNKNOWN, at(29 * day)).baseline, 480, 510);
    assert_int_equal(volume_look(&v, VOLUME_UNKNOWN, at(1000 * day)).baseline, 0);
}

static void test_clock_steps_back(void **state) {
    struct volume v = {.changed = 0};
    live(&v, VOLUME_IN, 100, 0, 10);
    assert_false(volume_count(&v, VOLUME_IN, 100, at(5 * day)));
    assert_false(volume_count(&v, VOLUME_IN, 100, at(-1000 * day)));
    assert_false(volume_count(&v, VOLUME_IN, 100, at(0)));
}

static void test_kept(void **state) {
    BUF_AUTO struct buf k = {.max = 64}, v = {.max = 256};
    struct volume one = {.changed = 0}, again = {.changed = 0};
    live(&one, VOLUME_OUT, 100, 0, 10);
    assert_true(volume_count(&one, VOLUME_OUT, 500, at(10 * day)));
    assert_true(volume_next_change(&one, &k, &v));
    assert_true(slice_eq(buf_slice(&k), SLICE("vout")));
    for (size_t cut = 0; cut < v.n; cut++)
        assert_false(volume_load(&again, buf_slice(&k), slice_of(v.p, cut)));
    assert_true(volume_load(&again, buf_slice(&k), buf_slice(&v)));
    assert_false(volume_load(&again, SLICE("vx"), buf_slice(&v)));
    assert_false(volume_load(&again, SLICE("v"), buf_slice(&v)));
    assert_false(volume_load(&again, SLICE(""), SLICE("")));
    assert_false(volume_next_change(&one, &k, &v));
    struct volume_look look = volume_look(&again, VOLUME_OUT, at(10 * day));
    assert_true(look.unusual && look.value == 500 && look.baseline == 100);
    volume_change_all(&again);
    assert_true(volume_next_change(&again, &k, &v));
    assert_false(volume_next_change(&again, &k, &v));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_unusual),
        cmocka_unit_test(test_small_figures_are_never_unusual),
        cmocka_unit_test(test_baseline_fades),
        cmocka_unit_test(test_clock_steps_back),
        cmocka_unit_test(test_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
