// queue_history_test: what the queue tells history, and that it doesn't wait for it.
#include "core/message/message_gate.h"
#include "svc/queue/queue_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct link *join(struct play *p) {
    p->config->gate.history.size = 1 << 20;
    return play_join(p, ROLE_HISTORY);
}

// The one record of the next frame.
static FIBER_FN void hear(struct play *p, struct link *l, struct record *out) {
    struct link_frame f;
    struct slice packed;
    CHECK(play_hear(p, l, 100, &f));
    CHECK_EQ(f.type, LINK_RECORDS);
    struct slice rest = f.payload;
    CHECK(message_records_next(&rest, &packed) && rest.n == 0);
    CHECK(record_unpack(arena_dup(&p->arena, packed), &p->arena, out));
    CHECK_EQ(out->stage, RECORD_DELIVERY);
}

static FIBER_FN void script_outcomes(struct play *p) {
    struct link *history = join(p);
    struct record r;
    CHECK_EQ(play_submit(p, 1, "a@example.net", "alice@example.org"), 0);
    CHECK(play_hear_work(p, p->deliver, 100));
    play_send_outcome(p, p->deliver, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED);
    hear(p, history, &r);
    CHECK_EQ(r.outcome, RECORD_DEFERRED);
    CHECK_EQ(r.queue_id, 1);
    CHECK(r.recipients_n == 1 && slice_eq(r.recipients[0], SLICE("alice@example.org")));
    CHECK_EQ(play_submit(p, 2, "a@example.net", "alice@example.org"), 0);
    CHECK(play_hear_work(p, p->deliver, 100));
    play_delivered(p, p->deliver);
    hear(p, history, &r);
    CHECK_EQ(r.outcome, RECORD_DELIVERED);
    CHECK_EQ(r.queue_id, 2);
    CHECK_EQ(play_submit(p, 3, "a@example.net", "bob@far.example"), 0);
    CHECK(play_hear_work(p, p->relay, 100));
    play_send_outcome(p, p->relay, MESSAGE_FAILED, MESSAGE_SITE_WORKED);
    hear(p, history, &r);
    CHECK_EQ(r.outcome, RECORD_BOUNCED);
    CHECK_EQ(play_submit(p, 4, "a@example.net", "bob@far.example"), 0);
    CHECK_EQ(play_ask(p, LINK_QUEUE_DELETE, 4, NULL).count, 1);
    hear(p, history, &r);
    CHECK(r.outcome == RECORD_DISCARDED && r.queue_id == 4 && r.recipients_n == 0);
    link_free(history);
}

// Nobody is there, or goes away: mail goes on, and who comes hears of it.
static FIBER_FN void script_nobody(struct play *p) {
    struct record r;
    p->config->gate.history.size = 1 << 20;
    CHECK_EQ(play_submit(p, 1, "a@example.net", "alice@example.org"), 0);
    CHECK(play_hear_work(p, p->deliver, 100));
    play_delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
    struct link *history = join(p);
    hear(p, history, &r);
    CHECK(r.outcome == RECORD_DELIVERED && r.queue_id == 1);
    link_free(history);
    CHECK_EQ(play_submit(p, 2, "a@example.net", "alice@example.org"), 0);
    CHECK(play_hear_work(p, p->deliver, 100));
    play_delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
    CHECK(p->q->history.n == 1 && p->q->history.waiting.n > 0);
}

static void test_outcomes(void **state) { play(script_outcomes); }
static void test_nobody(void **state) { play(script_nobody); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_outcomes), cmocka_unit_test(test_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
