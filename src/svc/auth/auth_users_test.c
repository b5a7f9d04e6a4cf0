// auth_users_test: a password file by user, and what is usual in it.
#include "svc/auth/auth_users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define KEYS(salt, iterations)                                                                                         \
    "{SCRAM-SHA-256}" iterations "," salt                                                                              \
    ",WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

#define TEN "abcdefghij"
#define SHA512 "$6$rounds=1000$salt$" TEN TEN TEN TEN TEN TEN TEN TEN "abcdef"
#define BCRYPT "$2b$12$" TEN TEN TEN TEN TEN "abc"

static void count(void *arg, const struct err *e) { ++*(unsigned *)arg; }

static struct auth_users *users_of(const char *text, unsigned *mistakes) {
    struct buf b = {.max = PASSWORD_FILE_MAX};
    buf_add_str(&b, text);
    *mistakes = 0;
    return auth_users_new(&b, (struct hash_key){{1, 2}}, count, mistakes);
}

static void assert_slice(struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("got %.*s, want %s", SLICE_ARG(got), want);
}

static void finds_secrets(void **state) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct auth_secret *secrets;
    unsigned mistakes;
    size_t n;
    struct auth_users *u =
        users_of("# people\n"
                 "Alice@Example.org::" SHA512
                 ":" KEYS("W22ZaJ0SNY7soEsUEjb6gQ==",
                          "4096") "\nbob:" SHA512 "\n"
                                  "nonsense\n"
                                  "alice@example.org:phone:" KEYS("W22ZaJ0SNY7soEsUEjb6gQ==", "4096") "\n"
                                                                                                      "carol:*\n",
                 &mistakes);
    assert_int_equal(auth_users_count(u), 3);
    assert_int_equal(mistakes, 1);
    assert_true(auth_users_find(u, SLICE("alice@example.org"), &arena, &secrets, &n));
    assert_int_equal(n, 2);
    assert_slice(secrets[0].name, "");
    assert_int_equal(secrets[0].hash.scheme, PASSWORD_CRYPT);
    assert_slice(secrets[0].hash.text, SHA512);
    assert_true(secrets[0].has_scram[DIGEST_SHA256] && !secrets[0].has_scram[DIGEST_SHA1]);
    assert_slice(secrets[1].name, "phone");
    assert_int_equal(secrets[1].scram[DIGEST_SHA256].iterations, 4096);
    assert_true(auth_users_find(u, SLICE("carol"), &arena, &secrets, &n));
    assert_int_equal(secrets[0].hash.scheme, PASSWORD_NONE);
    assert_false(auth_users_find(u, SLICE("dave"), &arena, &secrets, &n));
    assert_int_equal(auth_users_usual(u)->iterations, 4096);
    assert_int_equal(auth_users_usual(u)->salt_n, 16);
    assert_int_equal(auth_users_usual(u)->hash.scheme, PASSWORD_SCRAM_SHA_256);
    auth_users_free(u);
}

static void knows_the_usual(void **state) {
    unsigned mistakes;
    struct auth_users *u = users_of(
        "a:" KEYS("W22ZaJ0SNY7soEsUEjb6gQ==", "4096") "\nb:" BCRYPT "\nc:" SHA512 "\nd:" SHA512 "\n", &mistakes);
    const struct auth_usual *usual = auth_users_usual(u);
    assert_int_equal(mistakes, 0);
    assert_int_equal(usual->hash.scheme, PASSWORD_CRYPT);
    assert_int_equal(usual->iterations, 4096);
    uint8_t first[32];
    memcpy(first, usual->secret, sizeof first);
    auth_users_free(u);
    u = users_of("a:" KEYS("W22ZaJ0SNY7soEsUEjb6gQ==", "4096") "\ne:" SHA512 "\n", &mistakes);
    assert_memory_equal(auth_users_usual(u)->secret, first, sizeof first); // others may come and go
    auth_users_free(u);
}

static void takes_an_empty_file(void **state) {
    unsigned mistakes;
    struct auth_users *u = users_of("", &mistakes);
    assert_int_equal(auth_users_count(u), 0);
    assert_int_equal(auth_users_usual(u)->hash.scheme, PASSWORD_NONE);
    auth_users_free(u);
    auth_users_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_secrets), cmocka_unit_test(knows_the_usual),
                                       cmocka_unit_test(takes_an_empty_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
