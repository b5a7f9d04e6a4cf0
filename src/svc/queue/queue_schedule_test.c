// queue_schedule_test: what the service does with what it keeps: attempts, deferral, expiry, notifications, dying
// workers, dead and slow destinations, and what people ask for.
#include "svc/queue/queue_play.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// --- tried again, given up, told

static FIBER_FN void script_deferred(struct play *p) {
    int64_t wait = MS_MINUTE;
    CHECK_EQ(play_submit(p, 1, "a@example.net", "x@far.example"), 0);
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        CHECK(play_hear_work(p, p->relay, 3 * MS_MINUTE));
        CHECK_EQ(p->work.attempt, attempt);
        play_send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED);
        if (attempt == 2)
            fiber_sleep(50), play_crash(p);
        CHECK(!play_hear_work(p, p->relay, wait * 3 / 4 - 1000));
        struct message_queue_reply r = play_ask(p, LINK_QUEUE_SHOW, 1, "");
        CHECK_EQ(r.entries[0].recipients[0].state, MESSAGE_RECIPIENT_DEFERRED);
        CHECK_EQ(r.entries[0].recipients[0].attempts, attempt);
        CHECK(slice_eq(r.entries[0].recipients[0].reason, SLICE("mx[192.0.2.1]:25 said: 450 4.1.1 the words of the remote")));
        wait *= 2;
    }
    CHECK(play_hear_work(p, p->relay, wait));
    play_delivered(p, p->relay);
}

static FIBER_FN void script_expired(struct play *p) {
    CHECK_EQ(play_submit(p, 1, "a@example.net", "x@far.example"), 0);
    int attempts = 0;
    while (play_hear_work(p, p->relay, 11 * MS_MINUTE)) {
        play_send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED);
        attempts++;
    }
    CHECK_RANGE(attempts, 6, 13);
    CHECK(play_hear_work(p, p->inject, 1000));
    CHECK_EQ(p->work.kind, MESSAGE_WORK_NOTIFY);
    CHECK(p->work.recipients[0].expired);
    CHECK(slice_eq(p->work.recipients[0].reason, SLICE("the words of the remote")));
    CHECK(slice_eq(p->work.recipients[0].remote, SLICE("mx[192.0.2.1]:25")));
    CHECK(slice_eq(p->work.content, SLICE("Subject: small\r\n")));
    play_crash(p); // the failure is durable: told again
    CHECK(play_hear_work(p, p->inject, 1000));
    play_send_outcome(p, p->inject, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED);
    CHECK(play_hear_work(p, p->inject, MS_MINUTE));
    play_delivered(p, p->inject);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
}

static FIBER_FN void script_nobody_to_tell(struct play *p) {
    struct slice to = SLICE("x@far.example");
    CHECK_EQ(play_submit(p, 1, "", "x@far.example"), 0);
    CHECK(play_hear_work(p, p->relay, 100));
    play_send_outcome(p, p->relay, MESSAGE_FAILED, MESSAGE_SITE_WORKED);
    play_send_submit(p, 2, 0, "a@example.net", &to, 1, slice_str(play_small), ENVELOPE_NOTICE);
    CHECK(play_hear_reply(p, 2).ok);
    CHECK(play_hear_work(p, p->relay, 100));
    play_send_outcome(p, p->relay, MESSAGE_FAILED, MESSAGE_SITE_WORKED);
    CHECK(!play_hear_work(p, p->inject, 1000));
    CHECK_EQ(play_messages(p), 0);
}

static FIBER_FN void script_bad_domain(struct play *p) {
    CHECK_EQ(play_submit(p, 1, "a@example.net", "x@[nonsense]"), 0);
    CHECK(play_hear_work(p, p->inject, 1000));
    CHECK_EQ(p->work.recipients[0].enhanced[0], 5);
    play_delivered(p, p->inject);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
}

// --- workers and destinations

static FIBER_FN void script_worker_dies(struct play *p) {
    CHECK_EQ(play_submit(p, 1, "a@example.net", "x@far.example"), 0);
    for (int i = 0; i < 3; i++) {
        CHECK(play_hear_work(p, p->relay, 1000));
        link_break(p->relay, "relay dies");
        fiber_sleep(10);
        link_free(p->relay);
        p->relay = play_join(p, ROLE_RELAY);
    }
    CHECK(!play_hear_work(p, p->relay, 20 * MS_SECOND)); // it has brought three down
    CHECK(play_hear_work(p, p->relay, 3 * MS_MINUTE));
    play_delivered(p, p->relay);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
}

static FIBER_FN void script_dead_destination(struct play *p) {
    uint64_t id = 0, dead = 0, alive = 0;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(play_submit(p, ++id, "a@example.net", "x@dead.example"), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(play_submit(p, ++id, "a@example.net", "x@alive.example"), 0);
    int64_t begin = loop_now(p->loop).ns;
    while (play_hear_work(p, p->relay, 30 * MS_SECOND)) {
        bool is_dead = slice_eq(p->work.host, SLICE("dead.example"));
        dead += is_dead;
        alive += !is_dead;
        play_send_outcome(p, p->relay, is_dead ? MESSAGE_DEFERRED : MESSAGE_DELIVERED,
                          is_dead ? MESSAGE_SITE_FAILED : MESSAGE_SITE_WORKED);
    }
    CHECK_EQ(alive, 20);
    CHECK_RANGE(dead, 1, 2);
    CHECK(loop_now(p->loop).ns - begin < 31 * (int64_t)1000000000);
    CHECK_EQ(play_messages(p), 20);
    struct message_queue_reply r = play_ask(p, LINK_QUEUE_LIST, 0, "");
    for (size_t i = 0; i < 20; i++) // those that wait for it say why
        CHECK_EQ(r.entries[i].recipients[0].state, MESSAGE_RECIPIENT_DEFERRED);
    CHECK(slice_eq(r.entries[19].recipients[0].reason, SLICE("mx[192.0.2.1]:25 said: 450 4.1.1 the words of the remote")));
    for (int probe = 0; probe < 3; probe++) { // single attempts, ever more rarely
        CHECK(play_hear_work(p, p->relay, 8 * MS_MINUTE));
        play_send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_FAILED);
        CHECK(!play_hear_work(p, p->relay, 40 * MS_SECOND));
    }
    for (int i = 0; i < 20; i++) { // it is back
        CHECK(play_hear_work(p, p->relay, 11 * MS_MINUTE));
        play_delivered(p, p->relay);
    }
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
}

// A destination that never answers keeps its window's attempts, and nothing else waits for it.
static FIBER_FN void script_slow_destination(struct play *p) {
    uint64_t id = 0;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(play_submit(p, ++id, "a@example.net", "x@slow.example"), 0);
    for (int i = 0; i < 2; i++)
        CHECK(play_hear_work(p, p->relay, 100));
    CHECK(!play_hear_work(p, p->relay, 1000));
    CHECK_EQ(play_submit(p, ++id, "a@example.net", "x@quick.example"), 0);
    CHECK(play_hear_work(p, p->relay, 100));
    CHECK(slice_eq(p->work.host, SLICE("quick.example")));
    play_delivered(p, p->relay);
}

// Messages of a destination that stays dead expire though they are never tried.
static FIBER_FN void script_dead_expires(struct play *p) {
    for (uint64_t id = 1; id <= 10; id++)
        CHECK_EQ(play_submit(p, id, "", "x@dead.example"), 0);
    int attempts = 0;
    while (play_hear_work(p, p->relay, 11 * MS_MINUTE)) {
        play_send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_FAILED);
        attempts++;
    }
    CHECK_RANGE(attempts, 5, 15);
    CHECK_EQ(play_messages(p), 0);
}

// --- people

static FIBER_FN void script_hold_and_release(struct play *p) {
    CHECK_EQ(play_submit(p, 1, "a@example.net", "x@held.example"), 0);
    CHECK_EQ(play_submit(p, 2, "a@example.net", "y@held.example"), 0);
    CHECK(!play_hear_work(p, p->relay, 10 * MS_MINUTE));
    struct message_queue_reply r = play_ask(p, LINK_QUEUE_LIST, 0, "");
    CHECK_EQ(r.entries_n, 2);
    CHECK_EQ(r.entries[0].recipients[0].state, MESSAGE_RECIPIENT_HELD);
    CHECK_EQ(play_ask(p, LINK_QUEUE_LIST, 1, "").entries_n, 1);
    CHECK_EQ(play_ask(p, LINK_QUEUE_RETRY, 2, "").count, 1);
    CHECK(play_hear_work(p, p->relay, 100));
    CHECK_EQ(p->work.queue_id, 2);
    CHECK_EQ(p->work.kind, MESSAGE_WORK_RELAY_MX);
    CHECK(slice_eq(p->work.host, SLICE("held.example")));
    play_delivered(p, p->relay);
    CHECK_EQ(play_ask(p, LINK_QUEUE_RETRY, 0, "other.example").count, 0);
    CHECK_EQ(play_ask(p, LINK_QUEUE_RETRY, 0, "held.example").count, 1);
    CHECK(play_hear_work(p, p->relay, 100));
    play_delivered(p, p->relay);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
}

static FIBER_FN void script_delete(struct play *p) {
    struct slice to[] = {SLICE("x@held.example"), SLICE("y@far.example")};
    play_send_submit(p, 1, 0, "a@example.net", to, 2, slice_str(play_small), 0);
    CHECK(play_hear_reply(p, 1).ok);
    CHECK(play_hear_work(p, p->relay, 100));
    CHECK_EQ(play_ask(p, LINK_QUEUE_DELETE, 0, "held.example").count, 1);
    play_crash(p);
    struct message_queue_reply r = play_ask(p, LINK_QUEUE_SHOW, 1, "");
    CHECK_EQ(r.entries[0].recipients[0].state, MESSAGE_RECIPIENT_DONE);
    CHECK(slice_eq(r.header, SLICE("Subject: small\r\n")));
    CHECK(play_hear_work(p, p->relay, 100));
    CHECK_EQ(play_ask(p, LINK_QUEUE_DELETE, 1, "").count, 1);
    play_send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED); // too late to matter
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
    play_crash(p);
    CHECK_EQ(play_messages(p), 0);
}

static FIBER_FN void script_metrics(struct play *p) {
    struct link_frame f;
    static struct metric m;
    struct err e;
    CHECK_EQ(play_submit(p, 1, "a@example.net", "x@held.example"), 0);
    CHECK(link_send1(p->control, LINK_METRICS, 4, SLICE_EMPTY));
    CHECK(play_hear(p, p->control, 100, &f));
    CHECK_EQ(f.type, LINK_METRICS_REPLY);
    CHECK(metric_unpack(f.payload, &m, &e));
    CHECK_EQ(m.v[metric_slot(METRIC_QUEUE_MESSAGES, 0)], 1);
    CHECK_EQ(m.v[metric_slot(METRIC_QUEUE_RECIPIENTS, METRIC_STATE_HELD)], 1);
}

#define PLAY(name)                                                                                                     \
    static void test_##name(void **state) { play(script_##name); }

PLAY(deferred)
PLAY(expired)
PLAY(nobody_to_tell)
PLAY(bad_domain)
PLAY(worker_dies)
PLAY(dead_destination)
PLAY(slow_destination)
PLAY(dead_expires)
PLAY(hold_and_release)
PLAY(delete)
PLAY(metrics)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deferred),         cmocka_unit_test(test_expired),
        cmocka_unit_test(test_nobody_to_tell),   cmocka_unit_test(test_bad_domain),
        cmocka_unit_test(test_worker_dies),      cmocka_unit_test(test_dead_destination),
        cmocka_unit_test(test_slow_destination), cmocka_unit_test(test_dead_expires),
        cmocka_unit_test(test_hold_and_release), cmocka_unit_test(test_delete),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
