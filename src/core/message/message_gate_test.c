// message_gate_test: every payload there and back; cut at every byte, or with a byte more, it is refused.
#include "core/message/message_gate.h"
#include "core/message/message_test_cut.h"

enum { MAX = 1 << 20 };

static void test_client(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_client got, m = {.client = client(), .local = true};
    assert_true(message_client_pack(&b, &m) && message_client_unpack(buf_slice(&b), &got));
    assert_true(netaddr_same_ip(&got.client, &m.client));
    assert_true(got.local);
    REFUSES(b, message_client_unpack(payload, &got));
}

static void test_client_reply(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_client_reply got, m = {.known = true, .shut_out = true, .until_ms = 40000, .text = SLICE("later")};
    m.tarpit_ms = 2000;
    assert_true(message_client_reply_pack(&b, &m) && message_client_reply_unpack(buf_slice(&b), &got));
    assert_true(!got.ok && got.known && got.shut_out);
    assert_int_equal(got.until_ms, 40000);
    assert_int_equal(got.tarpit_ms, 2000);
    assert_slice(got.text, SLICE("later"));
    REFUSES(b, message_client_reply_unpack(payload, &got));
    for (int i = 0; i < 2; i++) { // nobody waits for the past
        buf_reset(&b);
        m.until_ms = i ? -1 : 0;
        m.tarpit_ms = i ? 0 : -1;
        assert_true(message_client_reply_pack(&b, &m));
        assert_false(message_client_reply_unpack(buf_slice(&b), &got));
    }
}

static void test_tally(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_tally got, m = {.what = CONFIG_RATE_ERRORS,
                                   .client = client(),
                                   .helo = SLICE("mail.example.net"),
                                   .sender_domain = SLICE("example.net"),
                                   .recipient = SLICE("ann@example.org")};
    assert_true(message_tally_pack(&b, &m) && message_tally_unpack(buf_slice(&b), &got));
    assert_int_equal(got.what, CONFIG_RATE_ERRORS);
    assert_slice(got.helo, SLICE("mail.example.net"));
    assert_slice(got.sender_domain, SLICE("example.net"));
    assert_slice(got.recipient, SLICE("ann@example.org"));
    REFUSES(b, message_tally_unpack(payload, &got));
    b.p[0] = CONFIG_RATE_WHATS;
    assert_false(message_tally_unpack(buf_slice(&b), &got));
}

static void test_tally_reply(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_tally_reply got, m = {.line = 17, .text = SLICE("too many")};
    assert_true(message_tally_reply_pack(&b, &m) && message_tally_reply_unpack(buf_slice(&b), &got));
    assert_false(got.ok);
    assert_int_equal(got.line, 17);
    assert_slice(got.text, SLICE("too many"));
    REFUSES(b, message_tally_reply_unpack(payload, &got));
}

static void test_greylist(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_greylist got, m = {.domain = SLICE("example.net"),
                                      .client = client(),
                                      .sender = SLICE("bob@example.net"),
                                      .recipient = SLICE("ann@example.org"),
                                      .only_ask = true};
    assert_true(message_greylist_pack(&b, &m) && message_greylist_unpack(buf_slice(&b), &got));
    assert_slice(got.domain, SLICE("example.net"));
    assert_slice(got.sender, SLICE("bob@example.net"));
    assert_slice(got.recipient, SLICE("ann@example.org"));
    assert_true(got.only_ask);
    REFUSES(b, message_greylist_unpack(payload, &got));
}

static void test_greylist_reply(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_greylist_reply got, m = {.proven = MESSAGE_PROVEN_WROTE_TO};
    assert_true(message_greylist_reply_pack(&b, &m) && message_greylist_reply_unpack(buf_slice(&b), &got));
    assert_int_equal(got.proven, MESSAGE_PROVEN_WROTE_TO);
    REFUSES(b, message_greylist_reply_unpack(payload, &got));
    b.p[0]++;
    assert_false(message_greylist_reply_unpack(buf_slice(&b), &got));
    buf_reset(&b);
    m.wait_ms = -1;
    assert_true(message_greylist_reply_pack(&b, &m));
    assert_false(message_greylist_reply_unpack(buf_slice(&b), &got));
}

static void test_seen(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_seen got,
        m = {.what = MESSAGE_SEEN_WROTE, .client = client(), .recipient = SLICE("bob@example.net")};
    m.domain = SLICE("example.org");
    assert_true(message_seen_pack(&b, &m) && message_seen_unpack(buf_slice(&b), &got));
    assert_int_equal(got.what, MESSAGE_SEEN_WROTE);
    assert_slice(got.domain, SLICE("example.org"));
    assert_slice(got.recipient, SLICE("bob@example.net"));
    REFUSES(b, message_seen_unpack(payload, &got));
    b.p[0] = MESSAGE_SEEN_WHATS;
    assert_false(message_seen_unpack(buf_slice(&b), &got));
}

static void test_match(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_match got, m = {.table = SLICE("friends"), .value = SLICE("192.0.2.1")};
    assert_true(message_match_pack(&b, &m) && message_match_unpack(buf_slice(&b), &got));
    assert_slice(got.table, SLICE("friends"));
    assert_slice(got.value, SLICE("192.0.2.1"));
    REFUSES(b, message_match_unpack(payload, &got));
    for (int r = 0; r <= MESSAGE_MATCH_FAILED; r++) {
        enum message_match_result result;
        buf_reset(&b);
        assert_true(message_match_reply_pack(&b, (enum message_match_result)r));
        assert_true(message_match_reply_unpack(buf_slice(&b), &result));
        assert_int_equal(result, r);
        REFUSES(b, message_match_reply_unpack(payload, &result));
    }
}

static struct message_dmarc_seen a_dmarc_seen(struct message_dmarc_auth *auths, size_t n) {
    return (struct message_dmarc_seen){.when = {1700000000000},
                                       .client = client(),
                                       .from_domain = SLICE("example.net"),
                                       .record_domain = SLICE("net"),
                                       .envelope_from = SLICE("bounce.example.net"),
                                       .envelope_to = SLICE("example.org"),
                                       .record = SLICE("v=DMARC1; p=reject"),
                                       .policy = SLICE("reject"),
                                       .disposition = SLICE("none"),
                                       .override = SLICE("local_policy"),
                                       .override_comment = SLICE("arc=pass"),
                                       .spf_aligned = true,
                                       .auths = auths,
                                       .auths_n = n};
}

static void test_dmarc_seen(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    ARENA_AUTO struct arena arena = {.max = MAX};
    struct message_dmarc_auth auths[] = {{true, SLICE("example.com"), SLICE("s1"), SLICE("fail")},
                                         {.domain = SLICE("bounce.example.net"), .result = SLICE("pass")}};
    struct message_dmarc_seen got, m = a_dmarc_seen(auths, 2);
    assert_true(message_dmarc_seen_pack(&b, &m) && message_dmarc_seen_unpack(buf_slice(&b), &arena, &got));
    assert_true(got.when.ms == 1700000000000 && got.spf_aligned && !got.dkim_aligned);
    assert_slice(got.from_domain, SLICE("example.net"));
    assert_slice(got.record_domain, SLICE("net"));
    assert_slice(got.envelope_from, SLICE("bounce.example.net"));
    assert_slice(got.envelope_to, SLICE("example.org"));
    assert_slice(got.record, SLICE("v=DMARC1; p=reject"));
    assert_slice(got.policy, SLICE("reject"));
    assert_slice(got.disposition, SLICE("none"));
    assert_slice(got.override, SLICE("local_policy"));
    assert_slice(got.override_comment, SLICE("arc=pass"));
    assert_int_equal(got.auths_n, 2);
    assert_true(got.auths[0].dkim && !got.auths[1].dkim);
    assert_slice(got.auths[0].selector, SLICE("s1"));
    assert_slice(got.auths[1].result, SLICE("pass"));
    REFUSES(b, message_dmarc_seen_unpack(payload, &arena, &got));
}

static void test_dmarc_seen_of_many_signatures(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    ARENA_AUTO struct arena arena = {.max = MAX};
    static struct message_dmarc_auth auths[10000];
    struct message_dmarc_seen got, m = a_dmarc_seen(auths, 10000);
    assert_true(message_dmarc_seen_pack(&b, &m) && message_dmarc_seen_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.auths_n, 100);
}

static void test_post(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_post got, m = {.recipient = SLICE("dmarc@example.net"), .content = SLICE("Subject: x\r\n\r\ny\r\n")};
    assert_true(message_post_pack(&b, &m) && message_post_unpack(buf_slice(&b), &got));
    assert_slice(got.sender, SLICE(""));
    assert_slice(got.recipient, SLICE("dmarc@example.net"));
    assert_slice(got.content, SLICE("Subject: x\r\n\r\ny\r\n"));
    REFUSES(b, message_post_unpack(payload, &got));
    buf_reset(&b);
    assert_true(message_post_pack(&b, &(struct message_post){.content = SLICE("x")}));
    assert_false(message_post_unpack(buf_slice(&b), &got)); // to nobody
}

static void test_records(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct slice one, rest;
    pack_slice(&b, SLICE("first"));
    pack_slice(&b, SLICE("second"));
    rest = buf_slice(&b);
    assert_true(message_records_next(&rest, &one));
    assert_slice(one, SLICE("first"));
    assert_true(message_records_next(&rest, &one));
    assert_slice(one, SLICE("second"));
    assert_false(message_records_next(&rest, &one));
    assert_int_equal(rest.n, 0);
    REFUSES(b, (message_records_next(&payload, &one) && message_records_next(&payload, &one) && payload.n == 0));
    buf_reset(&b);
    pack_slice(&b, SLICE_EMPTY);
    rest = buf_slice(&b);
    assert_false(message_records_next(&rest, &one));
    assert_int_equal(rest.n, 4);
    b.p[2] = 2; // 128 KiB
    rest = buf_slice(&b);
    assert_false(message_records_next(&rest, &one));
}

static void test_records_are_added_whole(void **state) {
    struct record r = {.session = SLICE("s1"), .sender = SLICE("bob@example.net")}, got;
    ARENA_AUTO struct arena arena = {.max = MAX};
    BUF_AUTO struct buf b = {.max = 600};
    struct slice one, rest;
    size_t n = 0;
    while (message_records_add(&b, &r))
        n++;
    assert_in_range(n, 2, 20);
    rest = buf_slice(&b);
    for (size_t i = 0; i < n; i++) {
        assert_true(message_records_next(&rest, &one) && record_unpack(one, &arena, &got));
        assert_slice(got.sender, SLICE("bob@example.net"));
    }
    assert_int_equal(rest.n, 0); // of the one that didn't fit nothing is left
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_client_reply),
        cmocka_unit_test(test_tally),
        cmocka_unit_test(test_tally_reply),
        cmocka_unit_test(test_greylist),
        cmocka_unit_test(test_greylist_reply),
        cmocka_unit_test(test_seen),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_dmarc_seen),
        cmocka_unit_test(test_dmarc_seen_of_many_signatures),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_records_are_added_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
