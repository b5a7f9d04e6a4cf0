// auth_backends_test: PAM, Dovecot, introspection and certificates, each played well, badly, and not at all.
#include "svc/auth/auth_test_house.h"

#include <stdio.h>

static const char hello[] =
    "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tXOAUTH2\nSPID\t9\nCUID\t3\nCOOKIE\tab\nDONE\n";

static void assert_slice(struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("got %.*s, want %s", SLICE_ARG(got), want);
}

// --- PAM, behind a file

static void ask_pam(struct house *h) {
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_OK);
    assert_string_equal(h->asked, ""); // the file knows her
    house_plain(h, "alice", "guess", MESSAGE_AUTH_FAILED);
    assert_string_equal(h->asked, "");
    house_plain(h, "dave", "secret", MESSAGE_AUTH_OK);
    assert_string_equal(h->asked, "mail dave secret 192.0.2.1");
    h->pam_says = MESSAGE_PAM_FAILED;
    struct message_auth_reply said = house_begin(h, "PLAIN", SLICE("\0dave\0secret"));
    assert_int_equal(said.result, MESSAGE_AUTH_FAILED);
    assert_slice(said.why, "PAM: so PAM");
    h->pam_says = MESSAGE_PAM_UNKNOWN;
    house_plain(h, "dave", "secret", MESSAGE_AUTH_FAILED);
    h->pam_says = MESSAGE_PAM_TROUBLE;
    house_plain(h, "dave", "secret", MESSAGE_AUTH_TROUBLE);
    link_break(h->others[1].now->link, "killed");
    house_plain(h, "dave", "secret", MESSAGE_AUTH_TROUBLE); // after a while: nobody starts it again here
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_OK);
}

static void pam_behind_a_file(void **state) {
    struct house h = {0};
    house_run(&h, "auth file %\nauth pam mail\n", house_users, ask_pam);
}

// --- tokens

static void introspect(struct house *h) {
    struct slice token = SLICE("user=carol\1auth=Bearer abc+/\1\1");
    h->fetch_says = "{\"active\": true, \"username\": \"Carol\"}";
    struct message_auth_reply said = house_begin(h, "XOAUTH2", token);
    assert_int_equal(said.result, MESSAGE_AUTH_OK);
    assert_slice(said.user, "carol");
    assert_string_equal(h->asked, "https://id.example/check id:secret token=abc%2B%2F&token_type_hint=access_token");
    h->fetch_says = "{\"active\": false}";
    said = house_begin(h, "OAUTHBEARER", SLICE("n,a=carol,\1auth=Bearer abc\1\1"));
    assert_int_equal(said.result, MESSAGE_AUTH_CHALLENGE); // RFC 7628 3.2.2: an error in JSON, and a dummy answer
    said = house_continue(h, said.conversation, SLICE("\1"));
    assert_int_equal(said.result, MESSAGE_AUTH_FAILED);
    h->fetch_says = "what?";
    assert_int_equal(house_begin(h, "XOAUTH2", token).result, MESSAGE_AUTH_TROUBLE);
    h->fetch_says = NULL;
    assert_int_equal(house_begin(h, "XOAUTH2", token).result, MESSAGE_AUTH_TROUBLE);
    h->fetch_says = "{\"active\": true, \"username\": \"erin\"}";
    said = house_begin(h, "OAUTHBEARER", SLICE("n,,\1auth=Bearer abc\1\1")); // the token alone says who it is
    assert_int_equal(said.result, MESSAGE_AUTH_OK);
    assert_slice(said.user, "erin");
    fiber_sleep(1);
    assert_string_equal(h->tries, "carol carol carol carol  erin ");
    assert_string_equal(h->tried, "carol ok  carol no   ok  erin ok  ");
}

static void introspection(void **state) {
    struct house h = {0};
    house_run(&h, "auth introspect https://id.example/check secret %\n", "id:secret\n", introspect);
}

// A stranger's token is looked at by jansson, which recurses: not on a fiber's stack.
static void nest_deeply(struct house *h) {
    BUF_AUTO struct buf b = {.max = 1 << 15};
    buf_add_str(&b, "user=carol\1auth=Bearer ");
    for (int i = 0; i < 3600; i++)
        buf_add_str(&b, "W1tb"); // "[[["
    buf_add_str(&b, ".e30.AAAA\1\1");
    struct message_auth_reply said = house_begin(h, "XOAUTH2", buf_slice(&b));
    assert_int_not_equal(said.result, MESSAGE_AUTH_OK);
}

static void deep_tokens(void **state) {
    struct house h = {0};
    house_run(
        &h, "auth jwt %\n",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
        nest_deeply);
}

// --- Dovecot

static void ask_dovecot(struct house *h) {
    h->dovecot_says = "OK\t%u\tuser=Dave@Example.org\n";
    struct message_auth_reply said = house_begin(h, "PLAIN", SLICE("\0dave\0secret"));
    assert_int_equal(said.result, MESSAGE_AUTH_OK);
    assert_slice(said.user, "dave@example.org");
    assert_slice(slice_from(buf_slice(&h->dovecot_heard), slice_search(buf_slice(&h->dovecot_heard), SLICE("AUTH"))),
                 "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tsecured\tsession=s1\tlip=127.0.0.1\tlport=587\trip=192.0.2.1\t"
                 "rport=4000\tresp=AGRhdmUAc2VjcmV0\n");
    h->dovecot_says = "FAIL\t%u\tuser=dave\n";
    house_plain(h, "dave", "guess", MESSAGE_AUTH_FAILED);
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_OK); // the file behind knows her
    h->dovecot_says = "FAIL\t%u\tuser=dave\tuser_disabled\n";
    house_plain(h, "alice", "wonder", MESSAGE_AUTH_FAILED);
    h->dovecot_says = "FAIL\t%u\tuser=dave\ttemp\n";
    house_plain(h, "dave", "secret", MESSAGE_AUTH_TROUBLE);
    assert_int_equal(h->dovecot_connects, 1);
    h->dovecot_says = "OK\t%u\tuser=dave\n";
    h->dovecot_hangs_up = 1; // once: it is asked again
    house_plain(h, "dave", "secret", MESSAGE_AUTH_OK);
    assert_int_equal(h->dovecot_connects, 2);
    h->dovecot_hangs_up = 2;
    house_plain(h, "dave", "secret", MESSAGE_AUTH_TROUBLE);
    house_plain(h, "dave", "secret", MESSAGE_AUTH_OK);
    h->dovecot_says = NULL; // silent
    struct mono began = loop_now(h->loop);
    house_plain(h, "dave", "secret", MESSAGE_AUTH_TROUBLE);
    assert_int_equal(mono_ms_between(began, loop_now(h->loop)), 30 * MS_SECOND);
    fiber_sleep(1);
    assert_true(slice_search(buf_slice(&h->dovecot_heard), SLICE("CANCEL")) < h->dovecot_heard.n);
}

static void dovecot(void **state) {
    struct house h = {.dovecot_hello = hello};
    house_run(&h, "auth dovecot /run/auth\nauth file %\n", house_users, ask_dovecot);
}

static void refuse_token(struct house *h) {
    h->dovecot_says = "CONT\t%u\teyJ9\n";
    struct message_auth_reply said = house_begin(h, "XOAUTH2", SLICE("user=carol\1auth=Bearer abc\1\1"));
    if (said.result == MESSAGE_AUTH_CHALLENGE)
        said = house_continue(h, said.conversation, SLICE_EMPTY);
    assert_int_equal(said.result, MESSAGE_AUTH_FAILED);
    fiber_sleep(1);
    assert_true(slice_search(buf_slice(&h->dovecot_heard), SLICE("CANCEL\t1\n")) < h->dovecot_heard.n);
    h->dovecot_says = "OK\t%u\tuser=carol\n";
    said = house_begin(h, "XOAUTH2", SLICE("user=carol\1auth=Bearer abc\1\1"));
    assert_int_equal(said.result, MESSAGE_AUTH_OK);
}

static void dovecot_tokens(void **state) {
    struct house h = {.dovecot_hello = hello};
    house_run(&h, "auth dovecot /run/auth\n", NULL, refuse_token);
}

static void be_refused(struct house *h) {
    house_plain(h, "dave", "secret", MESSAGE_AUTH_TROUBLE);
    house_plain(h, "dave", "secret", MESSAGE_AUTH_TROUBLE); // not tried again so soon
    assert_int_equal(h->dovecot_connects, 1);
    fiber_sleep(1100);
    house_plain(h, "dave", "secret", MESSAGE_AUTH_TROUBLE);
    assert_int_equal(h->dovecot_connects, 2);
}

static void dovecot_away(void **state) {
    static const char *const hellos[] = {NULL, "VERSION\t2\t0\nDONE\n", "VERSION\t1\n", "HTTP/1.1 400\n\nOK\tx\n"};
    for (size_t i = 0; i < sizeof hellos / sizeof *hellos; i++) {
        struct house h = {.dovecot_hello = hellos[i]};
        house_run(&h, "auth dovecot /run/auth\n", NULL, be_refused);
    }
}

// --- certificates

static struct message_auth_reply external(struct house *h, const char *subject) {
    return house_begin_as(h, &(struct message_auth_begin){.mechanism = SLICE("EXTERNAL"),
                                                          .has_initial = true,
                                                          .client_subject = slice_str(subject)});
}

static void show_certificates(struct house *h) {
    assert_int_equal(external(h, "alice").result, MESSAGE_AUTH_OK);
    assert_int_equal(external(h, "carol").result, MESSAGE_AUTH_FAILED);
    assert_int_equal(external(h, "").result, MESSAGE_AUTH_FAILED);
}

static void certificates(void **state) {
    struct house h = {0};
    house_run(&h, "auth file %\n", house_users, show_certificates);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pam_behind_a_file), cmocka_unit_test(introspection),  cmocka_unit_test(deep_tokens),
        cmocka_unit_test(dovecot),           cmocka_unit_test(dovecot_tokens), cmocka_unit_test(dovecot_away),
        cmocka_unit_test(certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
