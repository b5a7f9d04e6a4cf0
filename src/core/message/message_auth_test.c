// message_auth_test: payloads about who a user is, there and back, and cut at every byte.
#include "core/message/message_auth.h"
#include "core/message/message_test_cut.h"

enum { MAX = 1 << 16 };

static void begins(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_auth_begin got, m = {.mechanism = SLICE("SCRAM-SHA-256"),
                                        .session = SLICE("s1"),
                                        .client = {.family = NETADDR_V4, .ip = {192, 0, 2, 1}, .port = 7},
                                        .local = {.family = NETADDR_V6, .ip = {[15] = 1}, .port = 587},
                                        .has_initial = true,
                                        .initial = SLICE("n,,n=alice,r=x"),
                                        .tls_exporter = SLICE("0123"),
                                        .tls_end_point = SLICE("4567"),
                                        .client_subject = SLICE("alice")};
    assert_true(message_auth_begin_pack(&b, &m));
    assert_true(message_auth_begin_unpack(buf_slice(&b), &got));
    assert_slice(got.mechanism, m.mechanism);
    assert_slice(got.session, m.session);
    assert_true(netaddr_same_ip(&got.client, &m.client) && got.client.port == 7);
    assert_true(netaddr_same_ip(&got.local, &m.local) && got.local.port == 587);
    assert_true(got.has_initial);
    assert_slice(got.initial, m.initial);
    assert_slice(got.tls_exporter, m.tls_exporter);
    assert_slice(got.tls_end_point, m.tls_end_point);
    assert_slice(got.client_subject, m.client_subject);
    REFUSES(b, message_auth_begin_unpack(payload, &got));
}

static void bounds_responses(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    static const char big[MESSAGE_SASL_MAX + 1];
    struct message_auth_begin begin = {.initial = SLICE("x")};
    struct message_auth_continue more = {.conversation = 1, .response = slice_of(big, MESSAGE_SASL_MAX)};
    assert_true(message_auth_begin_pack(&b, &begin));
    assert_false(message_auth_begin_unpack(buf_slice(&b), &begin)); // one that is said not to be there
    buf_reset(&b);
    assert_true(message_auth_continue_pack(&b, &more));
    assert_true(message_auth_continue_unpack(buf_slice(&b), &more));
    assert_int_equal(more.response.n, MESSAGE_SASL_MAX);
    buf_reset(&b);
    more.response = slice_of(big, sizeof big);
    assert_true(message_auth_continue_pack(&b, &more));
    assert_false(message_auth_continue_unpack(buf_slice(&b), &more));
}

static void goes_on(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_auth_continue got, m = {.conversation = 9, .response = SLICE("biws")};
    assert_true(message_auth_continue_pack(&b, &m));
    assert_true(message_auth_continue_unpack(buf_slice(&b), &got));
    assert_int_equal(got.conversation, 9);
    assert_slice(got.response, m.response);
    REFUSES(b, message_auth_continue_unpack(payload, &got));
}

static void replies(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_auth_reply got, m = {.result = MESSAGE_AUTH_OK,
                                        .conversation = 3,
                                        .challenge = SLICE("c"),
                                        .user = SLICE("alice"),
                                        .secret = SLICE("phone"),
                                        .why = SLICE("w")};
    assert_true(message_auth_reply_pack(&b, &m));
    assert_true(message_auth_reply_unpack(buf_slice(&b), &got));
    assert_int_equal(got.result, MESSAGE_AUTH_OK);
    assert_int_equal(got.conversation, 3);
    assert_slice(got.challenge, m.challenge);
    assert_slice(got.user, m.user);
    assert_slice(got.secret, m.secret);
    assert_slice(got.why, m.why);
    REFUSES(b, message_auth_reply_unpack(payload, &got));
    b.p[0] = MESSAGE_AUTH_BAD + 1;
    assert_false(message_auth_reply_unpack(buf_slice(&b), &got));
    buf_reset(&b);
    assert_true(message_auth_reply_pack(&b, &(struct message_auth_reply){.result = MESSAGE_AUTH_OK}));
    assert_false(message_auth_reply_unpack(buf_slice(&b), &got)); // nobody can't have logged in
}

static void pam(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_pam_check got, m = {SLICE("posthouse"), SLICE("alice"), SLICE("secret"), SLICE("192.0.2.1")};
    struct message_pam_reply reply, said = {MESSAGE_PAM_UNKNOWN, SLICE("no such user")};
    assert_true(message_pam_check_pack(&b, &m));
    assert_true(message_pam_check_unpack(buf_slice(&b), &got));
    assert_slice(got.service, m.service);
    assert_slice(got.user, m.user);
    assert_slice(got.password, m.password);
    assert_slice(got.client, m.client);
    REFUSES(b, message_pam_check_unpack(payload, &got));
    buf_reset(&b);
    assert_true(message_pam_reply_pack(&b, &said));
    assert_true(message_pam_reply_unpack(buf_slice(&b), &reply));
    assert_int_equal(reply.result, MESSAGE_PAM_UNKNOWN);
    assert_slice(reply.why, said.why);
    REFUSES(b, message_pam_reply_unpack(payload, &reply));
}

static void fetch(void **state) {
    BUF_AUTO struct buf b = {.max = MAX};
    struct message_fetch got, m = {SLICE("https://a.example/"), SLICE("i:s"), SLICE("token=t"), 1000, 65536};
    struct message_fetch_reply reply, said = {200, SLICE("{}"), SLICE("")};
    assert_true(message_fetch_pack(&b, &m));
    assert_true(message_fetch_unpack(buf_slice(&b), &got));
    assert_slice(got.url, m.url);
    assert_slice(got.user_password, m.user_password);
    assert_slice(got.body, m.body);
    assert_int_equal(got.timeout_ms, 1000);
    assert_int_equal(got.size_max, 65536);
    REFUSES(b, message_fetch_unpack(payload, &got));
    buf_reset(&b);
    assert_true(message_fetch_reply_pack(&b, &said));
    assert_true(message_fetch_reply_unpack(buf_slice(&b), &reply));
    assert_int_equal(reply.status, 200);
    assert_slice(reply.body, said.body);
    REFUSES(b, message_fetch_reply_unpack(payload, &reply));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins),  cmocka_unit_test(bounds_responses),
        cmocka_unit_test(goes_on), cmocka_unit_test(replies),
        cmocka_unit_test(pam),     cmocka_unit_test(fetch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
