// message_keys_test: payloads of keys there and back; cut at every byte they are refused.
#include "core/message/message_keys.h"
#include "core/message/message_test_cut.h"

enum { MAX = 1 << 20 };

static void test_set(void **state) {
    ARENA_AUTO struct arena arena = {.max = MAX};
    BUF_AUTO struct buf b = {.max = MAX};
    static const char tickets[2 * MESSAGE_TICKET_KEY] = "tickets";
    struct message_keys_certificate certificates[] = {{7, SLICE("chain"), SLICE("response")},
                                                      {8, SLICE("other"), SLICE_EMPTY}};
    struct message_keys_dkim dkims[] = {{9, true, SLICE("*"), SLICE("example.org"), SLICE("sel")}};
    struct message_keys_set m = {certificates, 2, dkims, 1, slice_of(tickets, sizeof tickets)}, got;
    assert_true(message_keys_set_pack(&b, &m));
    assert_true(message_keys_set_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.certificates_n, 2);
    assert_int_equal(got.certificates[1].key, 8);
    assert_true(slice_eq(got.certificates[0].ocsp, SLICE("response")));
    assert_int_equal(got.dkims_n, 1);
    assert_true(got.dkims[0].ed25519);
    assert_true(slice_eq(got.dkims[0].selector, SLICE("sel")));
    assert_true(slice_eq(got.tickets, m.tickets));
    REFUSES(b, message_keys_set_unpack(payload, &arena, &got));
    memset(b.p, 0xff, 4); // a count beyond the input
    assert_false(message_keys_set_unpack(buf_slice(&b), &arena, &got));

    buf_reset(&b);
    m.tickets.n--; // half a key
    assert_true(message_keys_set_pack(&b, &m));
    assert_false(message_keys_set_unpack(buf_slice(&b), &arena, &got));
    buf_reset(&b);
    assert_true(message_keys_set_pack(&b, &(struct message_keys_set){0}));
    assert_true(message_keys_set_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.certificates_n + got.dkims_n + got.tickets.n, 0);
}

static void test_sign(void **state) {
    static const char bytes[100] = "digest";
    const struct {
        enum message_keys_hash hash;
        size_t n;
        bool ok;
    } cases[] = {
        {MESSAGE_KEYS_SHA256, 32, true},   {MESSAGE_KEYS_SHA256, 31, false}, {MESSAGE_KEYS_SHA384, 48, true},
        {MESSAGE_KEYS_SHA512, 64, true},   {MESSAGE_KEYS_SHA1, 20, true},    {MESSAGE_KEYS_SHA1, 32, false},
        {MESSAGE_KEYS_MD5_SHA1, 36, true}, {MESSAGE_KEYS_PURE, 0, true},     {MESSAGE_KEYS_PURE, 100, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BUF_AUTO struct buf b = {.max = MAX};
        struct message_keys_sign m = {5, MESSAGE_KEYS_PSS, cases[i].hash, slice_of(bytes, cases[i].n)}, got;
        assert_true(message_keys_sign_pack(&b, &m));
        assert_int_equal(message_keys_sign_unpack(buf_slice(&b), &got), cases[i].ok);
        if (!cases[i].ok)
            continue;
        assert_int_equal(got.key, 5);
        assert_int_equal(got.padding, MESSAGE_KEYS_PSS);
        assert_int_equal(got.hash, cases[i].hash);
        assert_true(slice_eq(got.digest, m.digest));
        REFUSES(b, message_keys_sign_unpack(payload, &got));
        b.p[4] = 3; // no such padding
        assert_false(message_keys_sign_unpack(buf_slice(&b), &got));
    }
}

static void test_signed(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    static const char much[MESSAGE_KEYS_SIGNATURE_MAX + 1];
    struct message_keys_signed m = {true, SLICE("signature")}, got;
    assert_true(message_keys_signed_pack(&b, &m));
    assert_true(message_keys_signed_unpack(buf_slice(&b), &got));
    assert_true(got.ok && slice_eq(got.signature, m.signature));
    REFUSES(b, message_keys_signed_unpack(payload, &got));
    b.p[0] = 0; // refused, and yet signed
    assert_false(message_keys_signed_unpack(buf_slice(&b), &got));
    buf_reset(&b);
    m.signature = slice_of(much, sizeof much);
    assert_true(message_keys_signed_pack(&b, &m));
    assert_false(message_keys_signed_unpack(buf_slice(&b), &got));
    buf_reset(&b);
    assert_true(message_keys_signed_pack(&b, &(struct message_keys_signed){0}));
    assert_true(message_keys_signed_unpack(buf_slice(&b), &got) && !got.ok);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_set), cmocka_unit_test(test_sign),
                                       cmocka_unit_test(test_signed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
