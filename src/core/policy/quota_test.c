// quota_test: bounds of an hour and a day, when there is room again, clocks that step, what is kept.
#include "core/policy/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ANN SLICE("ann")

static const struct hash_key key = {{5, 6}};
static const int64_t noon = 1700000000000 / MS_DAY * MS_DAY + 12LL * MS_HOUR;

static struct wall at(int64_t ms) { return (struct wall){noon + ms}; }

static void assert_refused(const struct quota *q, const struct config_quota *c, uint32_t recipients, struct wall now,
                           int smtp, const char *text) {
    struct quota_refusal r = {.smtp = 0};
    assert_false(quota_allows(q, c, ANN, recipients, 0, now, &r));
    assert_int_equal(r.smtp, smtp);
    assert_int_equal(r.enhanced[0], smtp / 100);
    assert_string_equal(r.text, text);
}

static void assert_allowed(const struct quota *q, const struct config_quota *c, uint32_t recipients, struct wall now) {
    struct quota_refusal r;
    assert_true(quota_allows(q, c, ANN, recipients, 0, now, &r));
}

static void test_messages_an_hour(void **state) {
    const struct config_quota c = {.messages_hour = 3};
    struct quota q;
    quota_init(&q, &key);
    for (int i = 0; i < 3; i++) {
        assert_allowed(&q, &c, 1, at(i * 10LL * MS_MINUTE));
        quota_count(&q, ANN, 1, at(i * 10LL * MS_MINUTE));
    }
    assert_refused(&q, &c, 1, at(48 * MS_MINUTE), 451,
                   "you have sent 3 messages within an hour, which is as many as you may; try again in 12 minutes");
    assert_refused(&q, &c, 1, at(59 * MS_MINUTE + 20 * MS_SECOND), 451,
                   "you have sent 3 messages within an hour, which is as many as you may; try again in 40 seconds");
    assert_allowed(&q, &c, 1, at(60 * MS_MINUTE));
    quota_count(&q, ANN, 1, at(60 * MS_MINUTE));
    assert_refused(&q, &c, 1, at(61 * MS_MINUTE), 451,
                   "you have sent 3 messages within an hour, which is as many as you may; try again in 9 minutes");
    struct quota_refusal r;
    assert_true(quota_allows(&q, &c, SLICE("bob"), 1, 0, at(61 * MS_MINUTE), &r));
    assert_allowed(&q, &c, 1, at(5LL * MS_DAY));
    quota_done(&q);
}

static void test_recipients(void **state) {
    const struct config_quota c = {.recipients_hour = 100, .recipients_day = 150};
    struct quota q;
    quota_init(&q, &key);
    assert_refused(&q, &c, 101, at(0), 452,
                   "you may write to 100 recipients within an hour, so no message can have more");
    quota_count(&q, ANN, 60, at(0));
    quota_count(&q, ANN, 30, at(30 * MS_MINUTE));
    assert_refused(
        &q, &c, 20, at(31 * MS_MINUTE), 452,
        "you have written to 90 recipients within an hour and may to 10 more; to as many as these in 29 minutes");
    assert_allowed(&q, &c, 10, at(31 * MS_MINUTE));
    quota_count(&q, ANN, 60, at(2LL * MS_HOUR));
    assert_refused(
        &q, &c, 1, at(5LL * MS_HOUR), 452,
        "you have written to 150 recipients within a day, which is as many as you may; try again in 19 hours");
    assert_allowed(&q, &c, 1, at(24LL * MS_HOUR));
    quota_done(&q);
}

static void test_size_and_no_bounds(void **state) {
    struct config_quota c = {.message_size = 1000};
    struct quota q;
    struct quota_refusal r;
    quota_init(&q, &key);
    assert_true(quota_allows(&q, &c, ANN, 1, 1000, at(0), &r));
    assert_false(quota_allows(&q, &c, ANN, 1, 1001, at(0), &r));
    assert_int_equal(r.smtp, 552);
    c = (struct config_quota){0};
    for (int i = 0; i < 100; i++)
        quota_count(&q, ANN, UINT32_MAX, at(0));
    assert_true(quota_allows(&q, &c, ANN, 100000, UINT64_MAX, at(0), &r));
    quota_done(&q);
}

static void test_clock_steps(void **state) {
    const struct config_quota c = {.messages_hour = 1, .messages_day = 1};
    struct quota q;
    quota_init(&q, &key);
    quota_count(&q, ANN, 1, at(0));
    struct quota_refusal r;
    assert_false(quota_allows(&q, &c, ANN, 1, 0, at(-5 * MS_MINUTE), &r)); // no way round it
    assert_true(quota_allows(&q, &c, ANN, 1, 0, at(-365LL * MS_DAY), &r)); // and no refusal for a year
    quota_count(&q, ANN, 1, at(-365LL * MS_DAY));
    assert_false(quota_allows(&q, &c, ANN, 1, 0, at(-365LL * MS_DAY), &r));
    assert_true(quota_allows(&q, &c, ANN, 1, 0, at(-363LL * MS_DAY), &r));
    quota_done(&q);
}

static void test_kept(void **state) {
    const struct config_quota c = {.messages_hour = 2, .messages_day = 2};
    struct quota q, again;
    BUF_AUTO struct buf k = {.max = 512}, v = {.max = 4096};
    quota_init(&q, &key);
    quota_init(&again, &key);
    quota_count(&q, ANN, 5, at(0));
    quota_count(&q, ANN, 5, at(MS_MINUTE));
    assert_true(quota_next_change(&q, &k, &v));
    for (size_t cut = 0; cut < v.n; cut++)
        (void)quota_load(&again, buf_slice(&k), slice_of(v.p, cut));
    assert_true(quota_load(&again, buf_slice(&k), buf_slice(&v)));
    assert_refused(&again, &c, 1, at(2LL * MS_MINUTE), 451,
                   "you have sent 2 messages within a day, which is as many as you may; try again in 24 hours");
    assert_false(quota_next_change(&again, &k, &v));
    quota_change_all(&again);
    buf_reset(&k);
    buf_reset(&v);
    assert_true(quota_next_change(&again, &k, &v));
    assert_false(quota_load(&again, SLICE("q"), buf_slice(&v)));
    assert_false(quota_load(&again, SLICE("xann"), buf_slice(&v)));
    quota_done(&q);
    quota_done(&again);
}

static void test_words(void **state) {
    static const struct {
        int64_t ms;
        const char *want;
    } cases[] = {{1, "1 second"},         {99000, "99 seconds"}, {100000, "2 minutes"},
                 {5940000, "99 minutes"}, {5940001, "2 hours"},  {86400000, "24 hours"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char words[32];
        quota_words(words, cases[i].ms);
        assert_string_equal(words, cases[i].want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_an_hour),
        cmocka_unit_test(test_recipients),
        cmocka_unit_test(test_size_and_no_bounds),
        cmocka_unit_test(test_clock_steps),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
