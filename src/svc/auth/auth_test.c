// auth_test: conversations with a password file behind them: who gets in, what policy hears, how long a failure takes,
// what an unknown user looks like.
#include "svc/auth/auth_test_house.h"

#include "base/base64.h"

#include <stdio.h>

static void assert_slice(struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("got %.*s, want %s", SLICE_ARG(got), want);
}

static int64_t since(struct house *h, struct mono began) { return mono_ms_between(began, loop_now(h->loop)); }

static void tell_passwords(struct house *h) {
    house_plain(h, "Alice", "wonder", MESSAGE_AUTH_OK);
    house_plain(h, "bob", "builder", MESSAGE_AUTH_OK);
    struct message_auth_reply said = house_begin(h, "PLAIN", SLICE("\0alice\0looking-glass"));
    assert_int_equal(said.result, MESSAGE_AUTH_OK);
    assert_slice(said.user, "alice");
    assert_slice(said.secret, "phone");
    house_plain(h, "alice", "builder", MESSAGE_AUTH_FAILED);
    house_plain(h, "carol", "x", MESSAGE_AUTH_FAILED);
    assert_int_equal(house_begin(h, "PLAIN", SLICE("nonsense")).result, MESSAGE_AUTH_BAD);
    assert_int_equal(house_begin(h, "CRAM-MD5", SLICE_EMPTY).result, MESSAGE_AUTH_BAD);
    fiber_sleep(1); // TRIED is on its way
    assert_string_equal(h->tries, "alice bob alice alice carol  ");
    assert_string_equal(h->tried, "alice ok  bob ok  alice ok phone alice no  carol no   no  ");
}

static void passwords(void **state) {
    struct house h = {0};
    house_run(&h, "auth file %\n", house_users, tell_passwords);
}

// The same time and the same reply, whatever was wrong.
static void fail_alike(struct house *h) {
    static const char *const users[] = {"alice", "carol"};
    for (size_t i = 0; i < 2; i++) {
        struct mono began = loop_now(h->loop);
        house_plain(h, users[i], "guess", MESSAGE_AUTH_FAILED);
        assert_int_equal(since(h, began), 1500);
    }
    struct mono began = loop_now(h->loop);
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_OK);
    assert_true(since(h, began) < 100);
}

static void failures_take_the_same_time(void **state) {
    struct house h = {.delay_ms = 1500};
    house_run(&h, "auth file %\n", house_users, fail_alike);
}

static void be_locked_out(struct house *h) {
    struct mono began = loop_now(h->loop);
    struct message_auth_reply said = house_begin(h, "PLAIN", SLICE("\0alice\0wonder"));
    assert_int_equal(said.result, MESSAGE_AUTH_LOCKED);
    assert_slice(said.why, "locked: account");
    assert_int_equal(since(h, began), 700);
    fiber_sleep(1);
    assert_string_equal(h->tried, "");
}

static void locked(void **state) {
    struct house h = {.delay_ms = 700, .locked = true};
    house_run(&h, "auth file %\n", house_users, be_locked_out);
}

static void go_on_without_policy(struct house *h) {
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_OK);
    house_plain(h, "alice", "guess", MESSAGE_AUTH_FAILED);
    assert_true(house_logged(h, "policy-away"));
    h->policy_silent = false;
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_OK);
    assert_true(house_logged(h, "policy-back"));
}

static void policy_away(void **state) {
    struct house h = {.policy_silent = true};
    house_run(&h, "auth file %\n", house_users, go_on_without_policy);
}

static void say_login(struct house *h) {
    struct message_auth_reply said = house_begin(h, "LOGIN", SLICE_EMPTY);
    assert_int_equal(said.result, MESSAGE_AUTH_CHALLENGE);
    assert_slice(said.challenge, "Username:");
    uint64_t id = said.conversation;
    said = house_continue(h, id, SLICE("alice"));
    assert_int_equal(said.result, MESSAGE_AUTH_CHALLENGE);
    said = house_continue(h, id, SLICE("wonder"));
    assert_int_equal(said.result, MESSAGE_AUTH_OK);
    assert_int_equal(house_continue(h, id, SLICE("wonder")).result, MESSAGE_AUTH_TROUBLE); // it has ended
    assert_int_equal(h->auth->by_id.n, 0);
}

static void login(void **state) {
    struct house h = {0};
    house_run(&h, "auth file %\n", house_users, say_login);
}

static void give_up(struct house *h) {
    BUF_AUTO struct buf b = {.max = 64};
    struct message_auth_reply said = house_begin(h, "LOGIN", SLICE_EMPTY);
    message_auth_continue_pack(&b, &(struct message_auth_continue){.conversation = said.conversation});
    link_send1(h->others[3].now->link, LINK_AUTH_CANCEL, 0, buf_slice(&b)); // somebody else's link
    fiber_sleep(1);
    assert_int_equal(h->auth->by_id.n, 1);
    link_send1(h->submission.now->link, LINK_AUTH_CANCEL, 0, buf_slice(&b));
    fiber_sleep(1);
    assert_int_equal(h->auth->by_id.n, 0);
    house_begin(h, "LOGIN", SLICE_EMPTY);
    assert_int_equal(h->auth->by_id.n, 1);
    fiber_sleep(AUTH_SILENCE_MS + MS_MINUTE);
    assert_int_equal(h->auth->by_id.n, 0);
    house_begin(h, "LOGIN", SLICE_EMPTY);
    link_break(h->submission.now->link, "killed");
    fiber_sleep(MS_MINUTE);
    assert_int_equal(h->auth->by_id.n, 0);
}

static void conversations_end(void **state) {
    struct house h = {0};
    house_run(&h, "auth file %\n", house_users, give_up);
}

// The one that is silent for longest makes room.
static void open_too_many(struct house *h) {
    uint64_t first = house_begin(h, "LOGIN", SLICE_EMPTY).conversation, second = 0;
    for (size_t i = 1; i <= AUTH_CONVERSATIONS_MAX; i++) {
        uint64_t id = house_begin(h, "LOGIN", SLICE_EMPTY).conversation;
        second = second ? second : id;
    }
    assert_int_equal(h->auth->by_id.n, AUTH_CONVERSATIONS_MAX);
    assert_int_equal(house_continue(h, first, SLICE("alice")).result, MESSAGE_AUTH_TROUBLE);
    assert_int_equal(house_continue(h, second, SLICE("alice")).result, MESSAGE_AUTH_CHALLENGE);
}

static void too_many_conversations(void **state) {
    struct house h = {0};
    house_run(&h, "auth file %\n", house_users, open_too_many);
}

// --- SCRAM

struct scram_told {
    char salt[64];
    uint32_t iterations;
};

// RFC 5802 5: the client's side, by the tools for it.
static enum message_auth_result scram(struct house *h, const char *user, const char *password,
                                      struct scram_told *told) {
    BUF_AUTO struct buf first = {.max = 512}, salt = {.max = 64}, words = {.max = 4096}, last = {.max = 512};
    char nonce[128], server_first[512];
    buf_addf(&first, "n,,n=%s,r=fyko", user);
    struct message_auth_reply said = house_begin(h, "SCRAM-SHA-256", buf_slice(&first));
    assert_int_equal(said.result, MESSAGE_AUTH_CHALLENGE);
    uint64_t id = said.conversation;
    snprintf(server_first, sizeof server_first, "%.*s", SLICE_ARG(said.challenge));
    assert_int_equal(sscanf(server_first, "r=%127[^,],s=%63[^,],i=%u", nonce, told->salt, &told->iterations), 3);
    assert_true(base64_decode(&salt, slice_str(told->salt)));
    buf_addf(&words, "%.*s,%s,c=biws,r=%s", SLICE_ARG(slice_from(buf_slice(&first), 3)), server_first, nonce);
    uint8_t proof[32];
    scram_proof(DIGEST_SHA256, slice_str(password), buf_slice(&salt), told->iterations, buf_slice(&words), proof);
    buf_addf(&last, "c=biws,r=%s,p=", nonce);
    base64_encode(&last, slice_of(proof, sizeof proof));
    said = house_continue(h, id, buf_slice(&last));
    if (said.result == MESSAGE_AUTH_CHALLENGE) // v=...
        said = house_continue(h, id, SLICE_EMPTY);
    return said.result;
}

static void say_scram(struct house *h) {
    struct scram_told alice, carol, again;
    assert_int_equal(scram(h, "alice", "wonder", &alice), MESSAGE_AUTH_OK);
    assert_int_equal(scram(h, "alice", "looking-glass", &alice), MESSAGE_AUTH_OK);
    struct mono began = loop_now(h->loop);
    assert_int_equal(scram(h, "alice", "guess", &alice), MESSAGE_AUTH_FAILED);
    assert_int_equal(since(h, began), 500);
    began = loop_now(h->loop);
    assert_int_equal(scram(h, "carol", "guess", &carol), MESSAGE_AUTH_FAILED);
    assert_int_equal(since(h, began), 500);
    assert_int_equal(carol.iterations, alice.iterations);
    assert_int_equal(strlen(carol.salt), strlen(alice.salt));
    assert_int_equal(scram(h, "carol", "guess", &again), MESSAGE_AUTH_FAILED);
    assert_string_equal(again.salt, carol.salt);
    fiber_sleep(1);
    assert_string_equal(h->tries, "alice alice alice carol carol ");
    assert_string_equal(h->tried, "alice ok  alice ok phone alice no  carol no  carol no  ");
}

static void scram_sha_256(void **state) {
    struct house h = {.delay_ms = 500};
    house_run(&h, "auth file %\n", house_users, say_scram);
}

// --- the file

static void change_file(struct house *h) {
    BUF_AUTO struct buf text = {.max = 4096};
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_OK);
    house_secret(&text, "alice", "", "through");
    buf_add_str(&text, "what is this\n");
    buf_add_char(&text, '\0');
    house_write(h, text.p);
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_OK); // within the second
    fiber_sleep(1100);
    house_plain(h, "alice", "through", MESSAGE_AUTH_OK);
    house_plain(h, "bob", "builder", MESSAGE_AUTH_FAILED);
    assert_true(house_logged(h, "auth-file-mistake"));
    assert_true(house_logged(h, "line 2"));
    assert_int_equal(remove(h->file), 0);
    fiber_sleep(1100);
    house_plain(h, "alice", "through", MESSAGE_AUTH_OK);
    assert_true(house_logged(h, "auth-file-unreadable"));
}

static void follows_its_file(void **state) {
    struct house h = {0};
    house_run(&h, "auth file %\n", house_users, change_file);
}

static void have_no_file(struct house *h) {
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_TROUBLE);
    assert_true(house_logged(h, "auth-file-unreadable"));
    assert_string_equal(h->tried, "");
}

static void no_file(void **state) {
    struct house h = {0};
    house_run(&h, "auth file %\n", NULL, have_no_file);
}

static void send_nonsense(struct house *h) {
    link_send1(h->others[3].now->link, LINK_AUTH_BEGIN, 1, SLICE("nonsense"));
    fiber_sleep(1);
    assert_null(h->others[3].now); // it is down
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_OK);
}

static void nonsense_ends_its_link(void **state) {
    struct house h = {0};
    house_run(&h, "auth file %\n", house_users, send_nonsense);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords),
        cmocka_unit_test(failures_take_the_same_time),
        cmocka_unit_test(locked),
        cmocka_unit_test(policy_away),
        cmocka_unit_test(login),
        cmocka_unit_test(conversations_end),
        cmocka_unit_test(scram_sha_256),
        cmocka_unit_test(follows_its_file),
        cmocka_unit_test(too_many_conversations),
        cmocka_unit_test(no_file),
        cmocka_unit_test(nonsense_ends_its_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
