// message_policy_test: every payload there and back; cut at every byte, or with a byte more, it is refused.
#include "core/message/message_policy.h"
#include "core/message/message_test_cut.h"

enum { MAX = 1 << 20 };

static void test_try(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_try m = {.client = client(), .user = SLICE("ann@example.org")}, got;
    assert_true(message_try_pack(&b, &m) && message_try_unpack(buf_slice(&b), &got));
    assert_true(netaddr_same_ip(&got.client, &m.client));
    assert_int_equal(got.client.port, 4711);
    assert_slice(got.user, SLICE("ann@example.org"));
    REFUSES(b, message_try_unpack(payload, &got));
}

static void test_try_reply(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_try_reply m = {.locked = true, .delay_ms = 8000, .why = SLICE("account")}, got;
    assert_true(message_try_reply_pack(&b, &m) && message_try_reply_unpack(buf_slice(&b), &got));
    assert_true(got.locked);
    assert_int_equal(got.delay_ms, 8000);
    assert_slice(got.why, SLICE("account"));
    REFUSES(b, message_try_reply_unpack(payload, &got));
    buf_reset(&b);
    m.delay_ms = -1; // nobody waits for the past
    assert_true(message_try_reply_pack(&b, &m));
    assert_false(message_try_reply_unpack(buf_slice(&b), &got));
}

static void test_tried(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_tried m = {.client = client(), .user = SLICE("ann"), .secret = SLICE("phone"), .ok = true}, got;
    assert_true(message_tried_pack(&b, &m) && message_tried_unpack(buf_slice(&b), &got));
    assert_true(got.ok);
    assert_slice(got.secret, SLICE("phone"));
    REFUSES(b, message_tried_unpack(payload, &got));
}

static void test_use(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_use got, m = {.user = SLICE("ann"), .client = client(), .recipients = 7, .refused = 3};
    m.size = 1ull << 40;
    m.only_ask = true;
    assert_true(message_use_pack(&b, &m) && message_use_unpack(buf_slice(&b), &got));
    assert_int_equal(got.recipients, 7);
    assert_int_equal(got.refused, 3);
    assert_true(got.size == 1ull << 40 && got.only_ask);
    REFUSES(b, message_use_unpack(payload, &got));
}

static void test_use_reply(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_use_reply got, m = {.smtp = 452, .enhanced = {4, 5, 3}, .text = SLICE("later"), .why = SLICE("x")};
    assert_true(message_use_reply_pack(&b, &m) && message_use_reply_unpack(buf_slice(&b), &got));
    assert_false(got.ok);
    assert_int_equal(got.smtp, 452);
    assert_int_equal(got.enhanced[1], 5);
    assert_slice(got.text, SLICE("later"));
    assert_slice(got.why, SLICE("x"));
    REFUSES(b, message_use_reply_unpack(payload, &got));
}

static void test_notice(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_notice got, m = {.to = SLICE("root@example.org"), .subject = SLICE("s"), .text = SLICE("a\nb\n")};
    assert_true(message_notice_pack(&b, &m) && message_notice_unpack(buf_slice(&b), &got));
    assert_slice(got.to, SLICE("root@example.org"));
    assert_slice(got.text, SLICE("a\nb\n"));
    REFUSES(b, message_notice_unpack(payload, &got));
}

static void test_query(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_policy_query got, m = {.what = SLICE("192.0.2.0/24"), .limit = 100};
    assert_true(message_policy_query_pack(&b, &m) && message_policy_query_unpack(buf_slice(&b), &got));
    assert_slice(got.what, SLICE("192.0.2.0/24"));
    assert_int_equal(got.limit, 100);
    REFUSES(b, message_policy_query_unpack(payload, &got));
}

static void test_reply(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    ARENA_AUTO struct arena arena = {.max = MAX};
    struct message_policy_entry entries[] = {
        {.kind = MESSAGE_POLICY_NETWORK,
         .state = MESSAGE_POLICY_LOCKED,
         .what = SLICE("192.0.2.0/24"),
         .failures = 100,
         .until = {1234567890123}},
        {.kind = MESSAGE_POLICY_SECRET, .what = SLICE("ann"), .secret = SLICE("phone"), .used = {99}},
        {.state = MESSAGE_POLICY_HOLDING,
         .what = SLICE("ann"),
         .messages = 1,
         .recipients = 2,
         .messages_bound = 3,
         .recipients_bound = 4,
         .held = 5,
         .why = SLICE("because")},
    };
    struct message_policy_reply got, m = {.count = 9, .entries = entries, .entries_n = 3};
    assert_true(message_policy_reply_pack(&b, &m) && message_policy_reply_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.count, 9);
    assert_int_equal(got.entries_n, 3);
    assert_int_equal(got.entries[0].kind, MESSAGE_POLICY_NETWORK);
    assert_true(got.entries[0].until.ms == 1234567890123);
    assert_slice(got.entries[1].secret, SLICE("phone"));
    assert_true(got.entries[1].used.ms == 99);
    assert_int_equal(got.entries[2].held, 5);
    assert_slice(got.entries[2].why, SLICE("because"));
    REFUSES(b, message_policy_reply_unpack(payload, &arena, &got));
    memset(b.p + 4, 0xff, 4); // more entries than there can be
    assert_false(message_policy_reply_unpack(buf_slice(&b), &arena, &got));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_try),   cmocka_unit_test(test_try_reply), cmocka_unit_test(test_tried),
        cmocka_unit_test(test_use),   cmocka_unit_test(test_use_reply), cmocka_unit_test(test_notice),
        cmocka_unit_test(test_query), cmocka_unit_test(test_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
