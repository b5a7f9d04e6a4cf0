// guard_test: nothing is held while it learns; a jump is; baselines rise by days, fade by weeks; what is kept.
#include "core/policy/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ANN SLICE("ann")

static const struct hash_key key = {{7, 8}};
static const struct config_guard usual = {.on = true, .learn = 7LL * MS_DAY, .factor = 5, .least = 50};
static const int64_t midnight = 1700000000000 / MS_DAY * MS_DAY;

static struct wall at(int64_t days, int64_t ms) { return (struct wall){midnight + days * MS_DAY + ms}; }

static struct guard_verdict send(struct guard *g, unsigned n, uint32_t recipients, struct wall now) {
    struct guard_verdict v = {.began = false};
    for (unsigned i = 0; i < n && !v.began; i++)
        v = guard_count(g, ANN, recipients, 0, now);
    return v;
}

// Thirty messages an hour at noon, each day.
static void live(struct guard *g, int64_t from, int64_t days) {
    for (int64_t d = from; d < from + days; d++)
        assert_false(send(g, 30, 1, at(d, 12LL * MS_HOUR)).began);
}

static void test_learns_first(void **state) {
    struct guard g;
    guard_init(&g, &usual, &key);
    assert_int_equal(send(&g, 10000, 10, at(0, 0)).state, GUARD_LEARNING);
    assert_int_equal(send(&g, 1, 1, at(7, -1)).state, GUARD_LEARNING);
    assert_int_equal(send(&g, 1, 1, at(7, 0)).state, GUARD_NORMAL);
    guard_done(&g);
}

static void test_jump_is_held(void **state) {
    struct guard g;
    guard_init(&g, &usual, &key);
    live(&g, 0, 8);
    struct guard_verdict v = send(&g, 150, 1, at(8, 0));
    assert_false(v.began); // five times is no jump yet
    v = send(&g, 1, 1, at(8, 1));
    assert_true(v.began);
    assert_int_equal(v.state, GUARD_HOLDING);
    assert_int_equal(v.figure, GUARD_MESSAGES);
    assert_int_equal(v.value, 151);
    assert_int_equal(v.bound, 150);
    assert_true(
        slice_eq(v.why, SLICE("151 messages in this hour, which is more than 5 times the 30 of its busiest hour")));
    // For good, until somebody decides.
    v = send(&g, 1, 1, at(9, 0));
    assert_int_equal(v.state, GUARD_HOLDING);
    assert_false(v.began);
    assert_int_equal(guard_held(&g), 1);
    guard_done(&g);
}

static void test_least(void **state) {
    struct guard g;
    guard_init(&g, &usual, &key);
    send(&g, 1, 1, at(0, 0));
    assert_false(send(&g, 50, 1, at(8, 0)).began);
    struct guard_verdict v = send(&g, 1, 1, at(8, 0));
    assert_true(v.began);
    assert_true(
        slice_eq(v.why, SLICE("51 messages in this hour, which is more than 50; its busiest hour so far had 1")));
    guard_done(&g);
}

static void test_recipients_and_failures(void **state) {
    struct guard g;
    guard_init(&g, &usual, &key);
    live(&g, 0, 8);
    assert_int_equal(guard_count(&g, ANN, 151, 0, at(8, 0)).figure, GUARD_RECIPIENTS);
    assert_true(guard_release(&g, ANN, at(8, 0)));
    assert_false(guard_count(&g, ANN, 0, 50, at(8, 0)).began);
    struct guard_verdict v = guard_count(&g, ANN, 1, 1, at(8, 0));
    assert_true(v.began);
    assert_int_equal(v.figure, GUARD_FAILURES);
    guard_done(&g);
}

// A thief who stays just below the bound each hour gets no further that day.
static void test_day_has_to_be_over(void **state) {
    struct guard g;
    guard_init(&g, &usual, &key);
    live(&g, 0, 8);
    for (int h = 0; h < 24; h++)
        assert_false(send(&g, 150, 1, at(8, h * (int64_t)MS_HOUR)).began);
    assert_false(send(&g, 151, 1, at(9, 0)).began);
    guard_done(&g);
    guard_init(&g, &usual, &key);
    live(&g, 0, 8);
    assert_false(send(&g, 150, 1, at(8, 0)).began);
    assert_true(send(&g, 151, 1, at(8, 5LL * MS_HOUR)).began);
    guard_done(&g);
}

static void test_fades(void **state) {
    struct guard g;
    guard_init(&g, &usual, &key);
    live(&g, 0, 8);
    send(&g, 1, 1, at(36, 0)); // four weeks later a baseline of 15
    assert_false(send(&g, 60, 1, at(36, 0)).began);
    assert_true(send(&g, 20, 1, at(36, 0)).began);
    guard_done(&g);
    guard_init(&g, &usual, &key);
    live(&g, 0, 8);
    send(&g, 1, 1, at(800, 0));
    assert_false(send(&g, 49, 1, at(800, 0)).began);
    assert_true(send(&g, 1, 1, at(800, 0)).began);
    guard_done(&g);
}

static void test_release_raises_the_baseline(void **state) {
    struct guard g;
    guard_init(&g, &usual, &key);
    live(&g, 0, 8);
    assert_false(guard_release(&g, ANN, at(8, 0)));
    send(&g, 151, 1, at(8, 0));
    send(&g, 349, 1, at(8, 0)); // 500 in all
    assert_true(guard_release(&g, ANN, at(9, 0)));
    assert_int_equal(guard_held(&g), 0);
    assert_false(send(&g, 2500, 1, at(9, 0)).began);
    assert_true(send(&g, 1, 1, at(9, 0)).began);
    guard_done(&g);
}

static void test_block(void **state) {
    struct guard g;
    guard_init(&g, &usual, &key);
    assert_false(guard_is_blocked(&g, ANN));
    assert_true(guard_block(&g, ANN, at(0, 0))); // one that was never seen
    assert_false(guard_block(&g, ANN, at(0, 0)));
    assert_true(guard_is_blocked(&g, ANN));
    assert_int_equal(guard_count(&g, ANN, 1, 0, at(9, 0)).state, GUARD_BLOCKED);
    assert_true(guard_release(&g, ANN, at(9, 0)));
    assert_false(guard_is_blocked(&g, ANN));
    guard_done(&g);
}

static void test_off(void **state) {
    struct config_guard c = usual;
    struct guard g;
    guard_init(&g, &c, &key);
    live(&g, 0, 8);
    send(&g, 151, 1, at(8, 0));
    c.on = false;
    assert_int_equal(send(&g, 1, 1, at(8, 0)).state, GUARD_NORMAL);
    guard_block(&g, ANN, at(8, 0)); // a person's word holds all the same
    assert_int_equal(send(&g, 1, 1, at(8, 0)).state, GUARD_BLOCKED);
    guard_done(&g);
    guard_init(&g, &c, &key);
    live(&g, 0, 8);
    assert_false(send(&g, 9999, 1, at(8, 0)).began);
    guard_done(&g);
}

static void test_told_once(void **state) {
    struct guard g;
    struct slice user, why;
    guard_init(&g, &usual, &key);
    live(&g, 0, 8);
    assert_false(guard_next_untold(&g, &user, &why));
    send(&g, 151, 1, at(8, 0));
    assert_true(guard_next_untold(&g, &user, &why));
    assert_true(slice_eq(user, ANN));
    assert_true(why.n > 0);
    guard_told(&g, user);
    assert_false(guard_next_untold(&g, &user, &why));
    send(&g, 100, 1, at(8, 0));
    assert_false(guard_next_untold(&g, &user, &why));
    guard_done(&g);
}

static void note(void *arg, const struct guard_line *line) {
    snprintf(arg, 256, "%.*s state %d, %u/%u %u/%u, held %u", SLICE_ARG(line->user), line->state, line->messages,
             line->messages_bound, line->recipients, line->recipients_bound, line->held);
}

static void test_list(void **state) {
    struct guard g;
    char text[256] = "";
    guard_init(&g, &usual, &key);
    send(&g, 3, 2, at(0, 0));
    guard_list(&g, GUARD_LEARNING, SLICE(""), at(0, 1), note, text);
    assert_string_equal(text, "ann state 0, 3/0 6/0, held 0");
    live(&g, 1, 8);
    send(&g, 160, 1, at(10, 0)); // ends with the first that is held
    send(&g, 5, 1, at(10, 0));
    guard_list(&g, GUARD_HOLDING, ANN, at(10, 1), note, text);
    assert_string_equal(text, "ann state 2, 153/147 153/147, held 6");
    text[0] = 0;
    guard_list(&g, GUARD_HOLDING, SLICE("bob"), at(10, 1), note, text);
    guard_list(&g, GUARD_NORMAL, ANN, at(10, 1), note, text);
    assert_string_equal(text, "");
    guard_done(&g);
}

static void test_kept(void **state) {
    struct guard g, again;
    BUF_AUTO struct buf k = {.max = 512}, v = {.max = 4096};
    char text[256] = "";
    struct slice user, why;
    guard_init(&g, &usual, &key);
    guard_init(&again, &usual, &key);
    live(&g, 0, 8);
    send(&g, 151, 1, at(8, 0));
    assert_true(guard_next_change(&g, &k, &v));
    for (size_t cut = 0; cut < v.n; cut++)
        assert_false(guard_load(&again, buf_slice(&k), slice_of(v.p, cut)));
    assert_true(guard_load(&again, buf_slice(&k), buf_slice(&v)));
    assert_true(guard_load(&again, buf_slice(&k), buf_slice(&v)));
    assert_int_equal(guard_held(&again), 1);
    guard_list(&again, GUARD_HOLDING, ANN, at(8, 1), note, text);
    assert_string_equal(text, "ann state 2, 151/150 151/150, held 1");
    assert_true(guard_next_untold(&again, &user, &why));
    buf_reset(&k);
    buf_reset(&v);
    assert_false(guard_next_change(&again, &k, &v));
    guard_told(&again, user);
    assert_true(guard_next_change(&again, &k, &v));
    assert_true(guard_load(&g, buf_slice(&k), buf_slice(&v)));
    assert_false(guard_next_untold(&g, &user, &why));
    guard_done(&g);
    guard_done(&again);
}

static void test_clock_steps(void **state) {
    struct guard g;
    guard_init(&g, &usual, &key);
    live(&g, 0, 8);
    assert_int_equal(send(&g, 20, 1, at(-365, 0)).state, GUARD_LEARNING); // learns anew, holds nothing by mistake
    assert_int_equal(send(&g, 1, 1, at(8, 0)).state, GUARD_NORMAL);
    guard_done(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_first),
        cmocka_unit_test(test_jump_is_held),
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_recipients_and_failures),
        cmocka_unit_test(test_day_has_to_be_over),
        cmocka_unit_test(test_fades),
        cmocka_unit_test(test_release_raises_the_baseline),
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_told_once),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_clock_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
