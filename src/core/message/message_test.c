// message_test: every payload there and back; cut at every byte it is refused.
#include "core/message/message.h"
#include "core/message/message_test_cut.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MAX = 1 << 20 };

static struct envelope_recipient some_recipients[] = {
    {.address = {"bob@example.org", 15}},
    {.address = {"sales@example.org", 17}, .original = {"info@example.org", 16}},
};

static struct slice some_tags[] = {{"newsletter", 10}, {"quarantine", 10}};

static struct envelope some_envelope(void) {
    return (struct envelope){.flags = ENVELOPE_8BIT,
                             .sender = SLICE("alice@example.net"),
                             .client = SLICE("mail.example.net[192.0.2.1]"),
                             .helo = SLICE("mail.example.net"),
                             .session = SLICE("s1"),
                             .tags = some_tags,
                             .tags_n = COUNT(some_tags),
                             .arrived = {1234567890123},
                             .recipients = some_recipients,
                             .recipients_n = COUNT(some_recipients)};
}

static void test_submit(void **state) {
    struct arena arena ARENA_AUTO = {.max = MAX};
    struct buf b BUF_AUTO = {.max = MAX};
    struct message_submit m = {.queue_id = 7, .slot = 3, .envelope = some_envelope()}, got;
    assert_true(message_submit_pack_head(&b, &m));
    size_t head = b.n;
    buf_add_str(&b, "Subject: x\r\n\r\nhi\r\n");
    assert_true(message_submit_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.queue_id, 7);
    assert_int_equal(got.slot, 3);
    assert_slice(got.envelope.sender, m.envelope.sender);
    assert_int_equal(got.envelope.recipients_n, 2);
    assert_int_equal(got.envelope.tags_n, 2);
    assert_slice(got.envelope.tags[1], SLICE("quarantine"));
    assert_slice(got.envelope.recipients[1].original, SLICE("info@example.org"));
    assert_int_equal(got.envelope.arrived.ms, 1234567890123);
    assert_slice(got.content, SLICE("Subject: x\r\n\r\nhi\r\n"));
    REFUSES_CUTS(b, head, (arena_reset(&arena), message_submit_unpack(payload, &arena, &got)));

    memset(b.p, 0, 8); // id 0 is nobody's
    assert_false(message_submit_unpack(buf_slice(&b), &arena, &got));
}

static void test_submit_limits(void **state) {
    struct arena arena ARENA_AUTO = {.max = MAX};
    struct buf b BUF_AUTO = {.max = MAX};
    struct message_submit m = {.queue_id = 7, .envelope = some_envelope()}, got;
    assert_true(message_submit_pack_head(&b, &m));
    char *room = buf_reserve(&b, MESSAGE_INLINE_MAX + 1);
    memset(room, 'x', MESSAGE_INLINE_MAX + 1);
    buf_commit(&b, MESSAGE_INLINE_MAX);
    assert_true(message_submit_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.content.n, MESSAGE_INLINE_MAX);
    buf_commit(&b, 1);
    assert_false(message_submit_unpack(buf_slice(&b), &arena, &got));
}

static void test_piece(void **state) {
    struct buf b BUF_AUTO = {.max = MAX};
    struct message_piece got;
    assert_true(message_piece_pack_head(&b, 9));
    buf_add_str(&b, "abc");
    assert_true(message_piece_unpack(buf_slice(&b), &got));
    assert_int_equal(got.slot, 9);
    assert_slice(got.bytes, SLICE("abc"));
    assert_false(got.front);
    REFUSES_CUTS(b, 5, message_piece_unpack(payload, &got));
    b.p[4] = 2; // neither yes nor no
    assert_false(message_piece_unpack(buf_slice(&b), &got));
    memset(b.p, 0, 5);
    assert_false(message_piece_unpack(buf_slice(&b), &got));
    buf_reset(&b);
    assert_true(message_front_pack_head(&b, 9));
    assert_true(message_piece_unpack(buf_slice(&b), &got));
    assert_true(got.front);
}

static void test_open(void **state) {
    struct buf b BUF_AUTO = {.max = MAX};
    uint32_t got = 7;
    assert_true(message_open_unpack(SLICE_EMPTY, &got));
    assert_int_equal(got, 0);
    assert_true(message_open_pack(&b, MESSAGE_RESERVE_MAX));
    assert_true(message_open_unpack(buf_slice(&b), &got));
    assert_int_equal(got, MESSAGE_RESERVE_MAX);
    for (size_t cut = 1; cut < b.n; cut++)
        assert_false(message_open_unpack(slice_upto(buf_slice(&b), cut), &got));
    buf_reset(&b);
    message_open_pack(&b, MESSAGE_RESERVE_MAX + 1);
    assert_false(message_open_unpack(buf_slice(&b), &got));
}

static void test_submit_reply(void **state) {
    struct buf b BUF_AUTO = {.max = MAX};
    struct message_submit_reply m = {.slot = 2, .smtp = 452, .enhanced = {4, 3, 1}, .text = SLICE("disk full")}, got;
    assert_true(message_submit_reply_pack(&b, &m));
    assert_true(message_submit_reply_unpack(buf_slice(&b), &got));
    assert_false(got.ok);
    assert_int_equal(got.slot, 2);
    assert_int_equal(got.smtp, 452);
    assert_memory_equal(got.enhanced, m.enhanced, sizeof m.enhanced);
    assert_slice(got.text, m.text);
    REFUSES(b, message_submit_reply_unpack(payload, &got));
    buf_add_char(&b, 'x');
    assert_false(message_submit_reply_unpack(buf_slice(&b), &got));
    b.p[0] = 2; // neither yes nor no
    assert_false(message_submit_reply_unpack(slice_of(b.p, b.n - 1), &got));
}

// What a client is told is a refusal, and its status of the same class.
static void test_submit_reply_codes(void **state) {
    static const struct {
        uint16_t smtp, class;
        bool good;
    } cases[] = {{0, 0, true},    {451, 0, true},  {451, 4, true},   {552, 5, true},  {599, 5, true},
                 {451, 5, false}, {552, 4, false}, {0, 4, false},    {250, 0, false}, {354, 3, false},
                 {399, 0, false}, {600, 0, false}, {65535, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b BUF_AUTO = {.max = MAX};
        struct message_submit_reply m = {.smtp = cases[i].smtp, .enhanced = {cases[i].class, 3, 2}}, got;
        assert_true(message_submit_reply_pack(&b, &m));
        assert_int_equal(message_submit_reply_unpack(buf_slice(&b), &got), cases[i].good);
    }
}

static void test_work(void **state) {
    struct arena arena ARENA_AUTO = {.max = MAX};
    struct buf b BUF_AUTO = {.max = MAX};
    struct message_work_recipient recipients[] = {
        {.index = 5, .address = SLICE("bob@example.org"), .enhanced = {5, 1, 1}, .smtp = 550},
        {.index = 6,
         .address = SLICE("eve@example.org"),
         .original = SLICE("e@x"),
         .reason = SLICE("no"),
         .remote = SLICE("mx[192.0.2.1]:25"),
         .expired = true},
    };
    struct message_work m = {.kind = MESSAGE_WORK_RELAY_HOST,
                             .queue_id = 77,
                             .host = SLICE("mx.example.org"),
                             .port = 2525,
                             .flags = ENVELOPE_NOTICE,
                             .sender = SLICE("a@b"),
                             .session = SLICE("s"),
                             .arrived = {99},
                             .attempt = 4,
                             .recipients = recipients,
                             .recipients_n = 2,
                             .size = 3};
    struct message_work got;
    assert_true(message_work_pack_head(&b, &m));
    size_t head = b.n;
    buf_add_str(&b, "abc");
    assert_true(message_work_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.kind, MESSAGE_WORK_RELAY_HOST);
    assert_int_equal(got.queue_id, 77);
    assert_int_equal(got.port, 2525);
    assert_int_equal(got.flags, ENVELOPE_NOTICE);
    assert_int_equal(got.arrived.ms, 99);
    assert_int_equal(got.attempt, 4);
    assert_int_equal(got.size, 3);
    assert_slice(got.host, m.host);
    assert_int_equal(got.recipients_n, 2);
    assert_int_equal(got.recipients[0].enhanced[2], 1);
    assert_int_equal(got.recipients[1].index, 6);
    assert_true(got.recipients[1].expired);
    assert_slice(got.recipients[1].remote, recipients[1].remote);
    assert_slice(got.content, SLICE("abc"));
    REFUSES_CUTS(b, head, (arena_reset(&arena), message_work_unpack(payload, &arena, &got)));
}

static void test_read(void **state) {
    struct buf b BUF_AUTO = {.max = MAX};
    struct message_read m = {.queue_id = 1, .offset = 1ull << 40, .n = MESSAGE_INLINE_MAX}, got;
    assert_true(message_read_pack(&b, &m));
    assert_true(message_read_unpack(buf_slice(&b), &got));
    assert_int_equal(got.offset, 1ull << 40);
    assert_int_equal(got.n, MESSAGE_INLINE_MAX);
    REFUSES(b, message_read_unpack(payload, &got));
    m.n++;
    buf_reset(&b);
    assert_true(message_read_pack(&b, &m));
    assert_false(message_read_unpack(buf_slice(&b), &got));
}

static void test_outcome(void **state) {
    struct arena arena ARENA_AUTO = {.max = MAX};
    struct buf b BUF_AUTO = {.max = MAX};
    char text[600];
    memset(text, 'y', sizeof text);
    struct message_outcome_recipient recipients[] = {
        {.index = 0, .result = MESSAGE_DELIVERED, .smtp = 250, .enhanced = {2, 0, 0}, .reason = SLICE("ok")},
        {.index = 3, .result = MESSAGE_FAILED, .reason = slice_of(text, sizeof text)},
    };
    struct message_outcome m = {.site = MESSAGE_SITE_FAILED,
                                .remote = SLICE("mx[192.0.2.1]:25"),
                                .connection_use = 2,
                                .ms_connect = 3,
                                .ms_transfer = 4,
                                .tls = true,
                                .recipients = recipients,
                                .recipients_n = 2};
    struct message_outcome got;
    assert_true(message_outcome_pack(&b, &m));
    assert_true(message_outcome_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.site, MESSAGE_SITE_FAILED);
    assert_slice(got.remote, m.remote);
    assert_int_equal(got.connection_use, 2);
    assert_int_equal(got.ms_transfer, 4);
    assert_true(got.tls);
    assert_int_equal(got.recipients[1].result, MESSAGE_FAILED);
    assert_int_equal(got.recipients[1].reason.n, 500);
    REFUSES(b, (arena_reset(&arena), message_outcome_unpack(payload, &arena, &got)));
}

static void test_resolve(void **state) {
    struct arena arena ARENA_AUTO = {.max = MAX};
    struct buf b BUF_AUTO = {.max = MAX};
    struct message_resolve q = {.type = MESSAGE_DNS_MX, .name = SLICE("example.org")}, gotq;
    assert_true(message_resolve_pack(&b, &q));
    assert_true(message_resolve_unpack(buf_slice(&b), &gotq));
    assert_int_equal(gotq.type, MESSAGE_DNS_MX);
    assert_slice(gotq.name, q.name);
    REFUSES(b, message_resolve_unpack(payload, &gotq));

    struct message_dns_record records[] = {
        {.preference = 10, .text = SLICE("mx.example.org")},
        {.ip = {.family = NETADDR_V4, .ip = {192, 0, 2, 1}}},
        {.ip = {.family = NETADDR_V6, .ip = {0x20, 1, [15] = 9}}},
    };
    struct message_resolve_reply m = {.status = MESSAGE_DNS_OK,
                                      .security = MESSAGE_DNS_SECURE,
                                      .ttl = 60,
                                      .why = SLICE("w"),
                                      .canonical = SLICE("c"),
                                      .records = records,
                                      .records_n = 3};
    struct message_resolve_reply got;
    buf_reset(&b);
    assert_true(message_resolve_reply_pack(&b, &m));
    assert_true(message_resolve_reply_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.security, MESSAGE_DNS_SECURE);
    assert_int_equal(got.ttl, 60);
    assert_int_equal(got.records_n, 3);
    assert_int_equal(got.records[0].preference, 10);
    assert_int_equal(got.records[1].ip.family, NETADDR_V4);
    assert_int_equal(got.records[2].ip.ip[15], 9);
    REFUSES(b, (arena_reset(&arena), message_resolve_reply_unpack(payload, &arena, &got)));

    records[1].ip.ip[7] = 1; // behind an IPv4 address
    buf_reset(&b);
    assert_true(message_resolve_reply_pack(&b, &m));
    assert_false(message_resolve_reply_unpack(buf_slice(&b), &arena, &got));
}

static void test_expand(void **state) {
    struct arena arena ARENA_AUTO = {.max = MAX};
    struct buf b BUF_AUTO = {.max = MAX};
    struct slice addresses[] = {SLICE("a@example.org"), SLICE("b@example.org")};
    struct message_expand_reply m = {.result = MESSAGE_EXPAND_OK, .addresses = addresses, .addresses_n = 2}, got;
    assert_true(message_expand_reply_pack(&b, &m));
    assert_true(message_expand_reply_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.addresses_n, 2);
    assert_slice(got.addresses[1], addresses[1]);
    REFUSES(b, (arena_reset(&arena), message_expand_reply_unpack(payload, &arena, &got)));

    memset(b.p + 5, 0xff, 4); // a count beyond the input
    assert_false(message_expand_reply_unpack(buf_slice(&b), &arena, &got));
}

static void test_owns(void **state) {
    struct buf b BUF_AUTO = {.max = MAX};
    struct message_owns got;
    enum message_ownership result;
    assert_true(message_owns_pack(&b, &(struct message_owns){SLICE("alice"), SLICE("bob@example.org")}));
    assert_true(message_owns_unpack(buf_slice(&b), &got));
    assert_slice(got.user, SLICE("alice"));
    assert_slice(got.address, SLICE("bob@example.org"));
    REFUSES(b, message_owns_unpack(payload, &got));
    buf_reset(&b);
    assert_true(message_owns_reply_pack(&b, MESSAGE_OWNS_YES));
    assert_true(message_owns_reply_unpack(buf_slice(&b), &result));
    assert_int_equal(result, MESSAGE_OWNS_YES);
    assert_false(message_owns_reply_unpack(SLICE_EMPTY, &result));
    assert_false(message_owns_reply_unpack(SLICE("\3"), &result));
}

static void test_queue(void **state) {
    struct arena arena ARENA_AUTO = {.max = MAX};
    struct buf b BUF_AUTO = {.max = MAX};
    struct message_queue_query q = {.queue_id = 4, .limit = 100, .destination = SLICE("example.org")}, gotq;
    assert_true(message_queue_query_pack(&b, &q));
    assert_true(message_queue_query_unpack(buf_slice(&b), &gotq));
    assert_int_equal(gotq.limit, 100);
    assert_slice(gotq.destination, q.destination);
    REFUSES(b, message_queue_query_unpack(payload, &gotq));

    struct message_queue_recipient recipients[] = {
        {.address = SLICE("a@example.org"),
         .state = MESSAGE_RECIPIENT_DEFERRED,
         .attempts = 3,
         .next_attempt = {5},
         .reason = SLICE("busy"),
         .destination = SLICE("mx:example.org")},
        {.address = SLICE("b@example.org"), .state = MESSAGE_RECIPIENT_DONE},
    };
    struct message_queue_entry entries[] = {
        {.queue_id = 1,
         .size = 2,
         .arrived = {3},
         .sender = SLICE("s@example.net"),
         .recipients = recipients,
         .recipients_n = 2},
        {.queue_id = 9},
    };
    struct message_queue_reply m = {
        .count = 2, .more = true, .header = SLICE("Subject: x"), .entries = entries, .entries_n = 2};
    struct message_queue_reply got;
    buf_reset(&b);
    assert_true(message_queue_reply_pack(&b, &m));
    assert_true(message_queue_reply_unpack(buf_slice(&b), &arena, &got));
    assert_true(got.more);
    assert_int_equal(got.entries_n, 2);
    assert_int_equal(got.entries[0].recipients[0].attempts, 3);
    assert_int_equal(got.entries[0].recipients[0].next_attempt.ms, 5);
    assert_int_equal(got.entries[0].recipients[1].state, MESSAGE_RECIPIENT_DONE);
    assert_int_equal(got.entries[1].queue_id, 9);
    assert_int_equal(got.entries[1].recipients_n, 0);
    REFUSES(b, (arena_reset(&arena), message_queue_reply_unpack(payload, &arena, &got)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit),
        cmocka_unit_test(test_submit_limits),
        cmocka_unit_test(test_piece),
        cmocka_unit_test(test_submit_reply),
        cmocka_unit_test(test_submit_reply_codes),
        cmocka_unit_test(test_work),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_outcome),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_owns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
