// policy_strangers_test: what smtpd asks and tells of strangers, what people say of them, and what is remembered over
// an end and a start.
#include "core/message/message_gate.h"
#include "core/message/message_sender.h"
#include "rt/metric.h"
#include "svc/policy/policy_test_house.h"

#include <stdio.h>
#include <stdlib.h>

static struct message_client_reply meet(struct house *h, const char *client, struct buf *reply) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_client_reply r;
    message_client_pack(&b, &(struct message_client){.client = ip(client)});
    call(h->smtpd, LINK_CLIENT, &b, LINK_CLIENT_REPLY, reply);
    assert_true(message_client_reply_unpack(buf_slice(reply), &r));
    return r;
}

static struct message_tally_reply tally(struct house *h, const char *client, bool local, struct buf *reply) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_tally_reply r;
    message_tally_pack(&b, &(struct message_tally){.what = CONFIG_RATE_MESSAGES, .client = ip(client), .local = local});
    call(h->smtpd, LINK_TALLY, &b, LINK_TALLY_REPLY, reply);
    assert_true(message_tally_reply_unpack(buf_slice(reply), &r));
    return r;
}

static enum message_proven greylisted(struct house *h, const char *client, const char *sender) {
    BUF_AUTO struct buf b = {.max = 4096}, reply = {.max = 4096};
    struct message_greylist_reply r;
    message_greylist_pack(&b, &(struct message_greylist){.client = ip(client),
                                                         .sender = slice_str(sender),
                                                         .recipient = SLICE("ann@example.org")});
    call(h->smtpd, LINK_GREYLIST, &b, LINK_GREYLIST_REPLY, &reply);
    assert_true(message_greylist_reply_unpack(buf_slice(&reply), &r));
    return r.proven;
}

static void seen(struct link *l, enum message_seen_what what, const char *client, const char *recipient) {
    BUF_AUTO struct buf b = {.max = 4096};
    message_seen_pack(&b,
                      &(struct message_seen){.what = what, .client = ip(client), .recipient = slice_str(recipient)});
    assert_true(link_send1(l, LINK_SEEN, 0, buf_slice(&b)));
}

static struct message_sender_reply senders(struct house *h, enum link_type type, const char *what, struct buf *reply,
                                           struct arena *arena) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_sender_reply r;
    message_policy_query_pack(&b, &(struct message_policy_query){.what = slice_str(what), .limit = 100});
    call(h->control, type, &b, LINK_SENDER_REPLY, reply);
    assert_true(message_sender_reply_unpack(buf_slice(reply), arena, &r));
    return r;
}

static struct message_sender_reply tell(struct house *h, enum link_type type, const char *what) {
    BUF_AUTO struct buf reply = {.max = 65536};
    ARENA_AUTO struct arena arena = {.max = 65536};
    return senders(h, type, what, &reply, &arena);
}

// What a session hears of its client while it does wrong.
static struct message_tally_reply err_again(struct house *h, const char *client, struct buf *reply) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_tally_reply r;
    message_tally_pack(&b, &(struct message_tally){.what = CONFIG_RATE_ERRORS, .client = ip(client)});
    call(h->smtpd, LINK_TALLY, &b, LINK_TALLY_REPLY, reply);
    assert_true(message_tally_reply_unpack(buf_slice(reply), &r));
    return r;
}

static void misbehave_in_session(struct house *h) {
    BUF_AUTO struct buf reply = {.max = 4096};
    struct message_tally_reply r = err_again(h, "192.0.2.1", &reply);
    assert_true(r.ok && r.tarpit_ms == 0);
    for (int i = 0; i < 4; i++)
        seen(h->smtpd, MESSAGE_SEEN_RELAY, "192.0.2.1", "");
    r = err_again(h, "192.0.2.1", &reply);
    assert_true(r.ok && r.tarpit_ms >= 1000);
    for (int i = 0; i < 2; i++)
        seen(h->smtpd, MESSAGE_SEEN_RELAY, "192.0.2.1", "");
    r = err_again(h, "192.0.2.1", &reply);
    assert_true(!r.ok && r.line == 0);
    assert_true(slice_starts(r.text, SLICE("192.0.2.1 misbehaved too often; try again in ")));
    assert_true(err_again(h, "192.0.2.2", &reply).ok);
    assert_true(err_again(h, "10.1.1.1", &reply).ok);
}

static void test_misbehave_in_session(void **state) { run((struct wall){1700000000000}, NULL, misbehave_in_session); }

static void misbehave(struct house *h) {
    BUF_AUTO struct buf reply = {.max = 4096};
    assert_true(meet(h, "192.0.2.1", &reply).ok);
    for (int i = 0; i < 6; i++)
        seen(h->smtpd, MESSAGE_SEEN_RELAY, "192.0.2.1", "");
    struct message_client_reply r = meet(h, "192.0.2.1", &reply);
    assert_true(r.ok && r.shut_out);
    assert_true(slice_starts(r.text, SLICE("192.0.2.1 misbehaved too often; try again in ")));
    assert_false(meet(h, "192.0.2.2", &reply).shut_out);
    for (int i = 0; i < 100; i++)
        seen(h->smtpd, MESSAGE_SEEN_RELAY, "10.1.1.1", ""); // trusted
    assert_false(meet(h, "10.1.1.1", &reply).shut_out);
    assert_int_equal(greylisted(h, "192.0.2.9", "bob@example.net"), MESSAGE_PROVEN_NO);
    fiber_sleep(2000);
    assert_int_equal(greylisted(h, "192.0.2.9", "bob@example.net"), MESSAGE_PROVEN_CAME_BACK);
    seen(h->submission, MESSAGE_SEEN_WROTE, "192.0.2.200", "joe@example.edu");
    seen(h->smtpd, MESSAGE_SEEN_WROTE, "10.1.1.1", "any@example.org"); // one of ours
    assert_true(tell(h, LINK_SENDER_BLOCK, "198.51.100.0/24").ok);
    assert_false(tell(h, LINK_SENDER_BLOCK, "nobody").ok);
    assert_true(tell(h, LINK_SENDER_ALLOW, "2001:db8::7").ok);
    for (int i = 0; i < 3; i++)
        assert_true(tally(h, "192.0.2.50", false, &reply).ok);
    fiber_sleep(2000);
}

static void still_known(struct house *h) {
    BUF_AUTO struct buf reply = {.max = 65536};
    ARENA_AUTO struct arena arena = {.max = 65536};
    assert_false(tally(h, "192.0.2.50", false, &reply).ok);
    assert_true(meet(h, "192.0.2.1", &reply).shut_out);
    assert_true(meet(h, "198.51.100.7", &reply).shut_out);
    assert_true(slice_eq(meet(h, "198.51.100.7", &reply).text, SLICE("198.51.100.7 is blocked here")));
    assert_true(meet(h, "2001:db8::8", &reply).known);
    assert_int_equal(greylisted(h, "192.0.2.9", "eve@example.net"), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(greylisted(h, "203.0.113.1", "joe@example.edu"), MESSAGE_PROVEN_WROTE_TO);
    assert_int_equal(greylisted(h, "2001:db8::9", "x@example.com"), MESSAGE_PROVEN_KNOWN);
    struct message_sender_reply r = senders(h, LINK_SENDER_LIST, "", &reply, &arena);
    static const enum message_sender_state want[] = {MESSAGE_SENDER_SHUT_OUT, MESSAGE_SENDER_PROVEN,
                                                     MESSAGE_SENDER_WROTE_TO, MESSAGE_SENDER_WROTE_TO};
    assert_int_equal(r.entries_n, 6);
    for (size_t i = 0; i < 4; i++) // behind the two that people made
        assert_int_equal(r.entries[i + 2].state, want[i]);
    assert_true(slice_eq(r.entries[2].why, SLICE("tried to relay: 6")));
    assert_int_equal(tell(h, LINK_SENDER_CLEAR, "192.0.2.1").count, 2); // what its network proved, too
    assert_false(meet(h, "192.0.2.1", &reply).shut_out);
    assert_int_equal(tell(h, LINK_SENDER_CLEAR, "198.51.100.0/24").count, 1);
    assert_false(meet(h, "198.51.100.7", &reply).shut_out);
}

static void cleared(struct house *h) { assert_int_equal(tell(h, LINK_SENDER_LIST, "").count, 3); }

static void test_strangers_survive(void **state) {
    struct wall t = {1700000000000};
    kept = store_memory_new();
    run(t, lend(), misbehave);
    run(wall_add_ms(t, 10000), lend(), still_known);
    run(wall_add_ms(t, 20000), lend(), cleared);
    store_free(kept);
}

static void keep_to_rates(struct house *h) {
    BUF_AUTO struct buf reply = {.max = 4096};
    for (int i = 0; i < 3; i++)
        assert_true(tally(h, "192.0.2.1", false, &reply).ok);
    struct message_tally_reply r = tally(h, "192.0.2.1", false, &reply);
    assert_false(r.ok);
    assert_int_equal(r.line, 13);
    assert_true(slice_starts(r.text, SLICE("too many messages from 192.0.2.1; try again in ")));
    assert_true(tally(h, "192.0.2.2", false, &reply).ok);
    fiber_sleep(20 * MS_SECOND);
    assert_true(tally(h, "192.0.2.1", true, &reply).ok); // it was written down, so it holds for all
    assert_false(tally(h, "192.0.2.1", true, &reply).ok);
    for (int i = 0; i < 100; i++)
        assert_true(meet(h, "203.0.113.1", &reply).ok);
    struct message_client_reply c = meet(h, "203.0.113.1", &reply);
    assert_true(!c.ok && !c.shut_out);
    assert_true(slice_starts(c.text, SLICE("too many connections from 203.0.113.1; try again in ")));
}

static void test_rates(void **state) { run((struct wall){1700000000000}, NULL, keep_to_rates); }

static struct metric metrics(struct house *h) {
    BUF_AUTO struct buf b = {.max = 16}, reply = {.max = 65536};
    struct metric m;
    struct err e;
    call(h->control, LINK_METRICS, &b, LINK_METRICS_REPLY, &reply);
    assert_true(metric_unpack(buf_slice(&reply), &m, &e));
    return m;
}

static uint64_t figure(const struct metric *m, enum metric_id id, unsigned label) {
    return m->v[metric_slot(id, label)];
}

static void send_far_more(struct house *h) {
    seen(h->smtpd, MESSAGE_SEEN_GOOD, "192.0.2.1", "");
    fiber_sleep(8LL * MS_DAY);
    for (int i = 0; i < 201; i++)
        seen(h->smtpd, MESSAGE_SEEN_GOOD, "192.0.2.1", "");
    seen(h->submission, MESSAGE_SEEN_WROTE, "192.0.2.2", "joe@example.edu");
    fiber_sleep(10);
    struct metric m = metrics(h);
    assert_int_equal(figure(&m, METRIC_VOLUME_HOUR, METRIC_VOLUME_IN), 201);
    assert_int_equal(figure(&m, METRIC_VOLUME_UNUSUAL, METRIC_VOLUME_IN), 1);
    assert_int_equal(figure(&m, METRIC_VOLUME_HOUR, METRIC_VOLUME_OUT), 1);
    assert_int_equal(figure(&m, METRIC_VOLUME_UNUSUAL, METRIC_VOLUME_OUT), 0);
    assert_int_equal(figure(&m, METRIC_POLICY_ENTRIES, METRIC_MEMORY_ADDRESSES), 1);
    assert_int_equal(figure(&m, METRIC_POLICY_ENTRIES, METRIC_MEMORY_WROTE_TO), 1);
}

static void test_volume(void **state) { run((struct wall){1700000000000}, NULL, send_far_more); }

// More than a batch is kept in several, and questions are answered meanwhile.
static void flood(struct house *h) {
    for (int i = 0; i < 2 * POLICY_BATCH; i++) {
        char client[32];
        snprintf(client, sizeof client, "100.%d.%d.1", i >> 8, i & 255);
        seen(h->smtpd, MESSAGE_SEEN_ERROR, client, "");
        if (i % 1000 == 0)
            fiber_sleep(1);
    }
    fiber_sleep(1500);
    assert_in_range(kept_entries(), 1, POLICY_BATCH);
    fiber_sleep(3000);
    assert_int_equal(kept_entries(), 2 * POLICY_BATCH);
}

static void test_flood(void **state) {
    kept = store_memory_new();
    run((struct wall){1700000000000}, lend(), flood);
    store_free(kept);
}

static enum link_type rude_type;

static void be_rude_at_the_door(struct house *h) {
    assert_true(link_send1(h->smtpd, rude_type, 1, SLICE("x")));
    fiber_sleep(10);
    assert_false(link_is_up(h->smtpd));
}

static void test_malformed_of_smtpd(void **state) {
    static const enum link_type types[] = {LINK_CLIENT, LINK_TALLY, LINK_GREYLIST, LINK_SEEN};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        rude_type = types[i];
        run((struct wall){1700000000000}, NULL, be_rude_at_the_door);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers_survive),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_volume),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_misbehave_in_session),
        cmocka_unit_test(test_malformed_of_smtpd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
