// metric_test: counting, snapshots that can't be trusted, and the text that Prometheus reads.
#include "rt/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static bool has(const struct buf *b, const char *text) { return slice_search(buf_slice(b), slice_str(text)) < b->n; }

static void test_render(void **state) {
    static struct metric_process p[2] = {{.name = "smtpd-1"}, {.name = "queue"}};
    static struct metric gone;
    struct buf b BUF_AUTO = {.max = METRIC_RENDER_MAX};
    metric_add(&p[0].values, METRIC_MESSAGES_ACCEPTED, 3);
    metric_add(&p[1].values, METRIC_MESSAGES_ACCEPTED, 4);
    metric_add(&gone, METRIC_MESSAGES_ACCEPTED, 10);
    metric_add_at(&p[0].values, METRIC_RECIPIENTS_REFUSED, METRIC_REASON_RELAY, 2);
    metric_set_at(&p[1].values, METRIC_QUEUE_RECIPIENTS, METRIC_STATE_HELD, 7);
    metric_set(&p[1].values, METRIC_QUEUE_OLDEST, INT64_C(90500000000));
    metric_set(&p[0].values, METRIC_PROCESS_UP, 1);
    metric_observe(&p[1].values, METRIC_SYNC_SECONDS, 0, 400000);
    metric_observe(&p[1].values, METRIC_SYNC_SECONDS, 0, 1000000);
    metric_observe(&p[1].values, METRIC_SYNC_SECONDS, 0, INT64_MAX);
    metric_observe(&p[1].values, METRIC_SYNC_SECONDS, 0, -5);
    metric_observe(&p[1].values, METRIC_ATTEMPT_SECONDS, METRIC_TRANSPORT_MAILDIR, 2000000000);
    assert_true(metric_render(p, 2, &gone, SLICE("0.1.0"), &b));
    static const char *const lines[] = {
        "# HELP posthouse_messages_accepted_total Messages answered with 250\n"
        "# TYPE posthouse_messages_accepted_total counter\n"
        "posthouse_messages_accepted_total 17\n",
        "posthouse_build_info{version=\"0.1.0\"} 1\n",
        "posthouse_recipients_refused_total{reason=\"relay\"} 2\n",
        "posthouse_recipients_refused_total{reason=\"client-limit\"} 0\n",
        "posthouse_queue_recipients{state=\"held\"} 7\n",
        "posthouse_queue_oldest_seconds 90.5\n",
        "posthouse_process_up{process=\"smtpd-1\"} 1\n",
        "posthouse_process_up{process=\"queue\"} 0\n",
        "# TYPE posthouse_queue_log_sync_seconds histogram\n"
        "posthouse_queue_log_sync_seconds_bucket{le=\"0.0005\"} 2\n"
        "posthouse_queue_log_sync_seconds_bucket{le=\"0.001\"} 3\n",
        "posthouse_queue_log_sync_seconds_bucket{le=\"86400\"} 3\n",
        "posthouse_queue_log_sync_seconds_bucket{le=\"+Inf\"} 4\n",
        "posthouse_queue_log_sync_seconds_count 4\n",
        "posthouse_attempt_seconds_bucket{transport=\"maildir\",le=\"1\"} 0\n",
        "posthouse_attempt_seconds_bucket{transport=\"maildir\",le=\"2.5\"} 1\n",
        "posthouse_attempt_seconds_sum{transport=\"maildir\"} 2\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (!has(&b, lines[i]))
            fail_msg("no %s in:\n%.*s", lines[i], SLICE_ARG(buf_slice(&b)));
    }
}

static void test_negative_gauge(void **state) {
    static struct metric_process p = {.name = "queue"};
    struct buf b BUF_AUTO = {.max = METRIC_RENDER_MAX};
    metric_set(&p.values, METRIC_SESSIONS_OPEN, -1);
    metric_set(&p.values, METRIC_QUEUE_OLDEST, -1500000000);
    assert_true(metric_render(&p, 1, NULL, SLICE("x"), &b));
    assert_true(has(&b, "posthouse_sessions_open -1\n"));
    assert_true(has(&b, "posthouse_queue_oldest_seconds -1.5\n"));
}

static void test_pack(void **state) {
    static struct metric m, back;
    struct buf b BUF_AUTO = {.max = 64 * 1024};
    struct err e;
    for (size_t i = 0; i < METRIC_SLOTS; i++)
        m.v[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    assert_true(metric_pack(&m, &b));
    assert_true(metric_unpack(buf_slice(&b), &back, &e));
    assert_memory_equal(&m, &back, sizeof m);
    for (size_t n = 0; n < b.n; n++)
        assert_false(metric_unpack(slice_upto(buf_slice(&b), n), &back, &e));
    assert_true(buf_add_char(&b, 0));
    assert_false(metric_unpack(buf_slice(&b), &back, &e));
    b.n--;
    b.p[0] ^= 1;
    assert_false(metric_unpack(buf_slice(&b), &back, &e));
}

static void test_retire(void **state) {
    static struct metric gone, last;
    metric_add(&last, METRIC_SESSIONS, 5);
    metric_set(&last, METRIC_SESSIONS_OPEN, 3);
    metric_observe(&last, METRIC_ACCEPT_SECONDS, 0, 1);
    metric_retire(&gone, &last);
    metric_retire(&gone, &last);
    assert_int_equal(gone.v[METRIC_SLOT_SESSIONS], 10);
    assert_int_equal(gone.v[METRIC_SLOT_SESSIONS_OPEN], 0);
    assert_int_equal(gone.v[METRIC_SLOT_ACCEPT_SECONDS], 2);
}

static void test_process(void **state) {
    static struct metric m;
    metric_observe_process(&m);
    assert_true(m.v[METRIC_SLOT_PROCESS_CPU] > 0);
    assert_true(m.v[METRIC_SLOT_PROCESS_MEMORY] > 100000);
}

static void test_small_buffer(void **state) {
    static struct metric m;
    struct buf b BUF_AUTO = {.max = 100};
    assert_false(metric_pack(&m, &b));
    buf_reset(&b);
    assert_false(metric_render(NULL, 0, &m, SLICE("x"), &b));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render), cmocka_unit_test(test_negative_gauge), cmocka_unit_test(test_pack),
        cmocka_unit_test(test_retire), cmocka_unit_test(test_process),        cmocka_unit_test(test_small_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
