// password_hash_test: hashes that others made, and our own.
#include "rt/password_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    const char *hash, *password;
    bool fits;
} rows[] = {
    {"$6$9heOtpdG7OIRnigo$cZxULP1J9QbXOx/cOv5z05Y9e7hgv91iYcOlF8mfSmmaUBEwqnXebjylUVAbgdGZgqNMDesyoI32wqunbRYAa1",
     "password", true},
    {"$6$rounds=5000$F3dG/Cyjn8aClDXI$lAB/"
     "YSvHttnintlg3OhOFMAzx6w9OJ9yfMb3YNB.j7Vlg8.HcsB6X8L7d5ZUKXWVCRGSNQ9ReabTderOhqNvL0",
     "password", true},
    {"$2b$05$CL.yh77Zm/uaq3jjKFrvU.Itu06fRpDV7GBVt1CU9D3upNW3fo3RK", "password", true},
    {"$2y$05$AAclT1swEYLcgvgy05Rvt.OiH4.cZy6PYpDjDDgehPGwUJczBWt4S", "password", true},
    {"$y$j75$saltsaltsaltsalt$hI02SdBpr3mSssvBRd05Dwe0nTFc/hsy01KTxh646J.", "password", true},
    {"{SCRAM-SHA-256}4096,MDEyMzQ1Njc4OWFiY2RlZg==,wjGCKoCIcEWiPxSG7t/wnb/YICMEFr1JZNZSKNje12g=,6NG/"
     "vkzOjK2oyl11qeNEBeKuOY3QQ4atswXYbIBO79Q=",
     "password", true},
    {"{SCRAM-SHA-1}4096,MDEyMzQ1Njc4OWFiY2RlZg==,RgpTdHqekP7E6NjQ256++13zeCM=,VR0FInycXSKuV/7+QaM/6iSMbWk=", "password",
     true},
    // the reference implementation's own test vector
    {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password", true},
    {"!", "", false},
    {"*", "*", false},
    {"", "", false},
    {"secret", "secret", false},
    {"$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "password", false}, // md5-crypt, which isn't taken
    {"ab01FAX.bQRSU", "password", false},                      // DES
    {"$y$j9T$", "password", false},
    {"$2b$05$", "password", false},
};

static void test_rows(void **state) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice hash = slice_str(rows[i].hash);
        if (password_hash_verify(hash, slice_str(rows[i].password)) != rows[i].fits)
            fail_msg("%s", rows[i].hash);
        assert_false(password_hash_verify(hash, SLICE("passwore")) || password_hash_verify(hash, SLICE_EMPTY));
        assert_false(password_hash_verify(hash, SLICE("password\0x")));
    }
}

static void test_make(void **state) {
    struct buf one BUF_AUTO = {.max = 1000}, two BUF_AUTO = {.max = 1000}, small BUF_AUTO = {.max = 10};
    struct err e;
    assert_true(password_hash_make(SLICE("pencil"), &one, &e) && password_hash_make(SLICE("pencil"), &two, &e));
    assert_true(slice_starts(buf_slice(&one), SLICE("$y$")));
    assert_false(slice_eq(buf_slice(&one), buf_slice(&two))); // salted
    assert_true(password_hash_verify(buf_slice(&one), SLICE("pencil")));
    assert_false(password_hash_verify(buf_slice(&one), SLICE("Pencil")));
    assert_false(password_hash_make(SLICE("pencil"), &small, &e));
}

static void test_long(void **state) {
    static char phrase[2000];
    struct buf out BUF_AUTO = {.max = 1000};
    struct err e;
    memset(phrase, 'a', sizeof phrase);
    assert_true(password_hash_make(slice_of(phrase, 511), &out, &e));
    assert_true(password_hash_verify(buf_slice(&out), slice_of(phrase, 511)));
    assert_false(password_hash_verify(buf_slice(&out), slice_of(phrase, 512)));
    assert_false(password_hash_make(slice_of(phrase, 512), &out, &e));
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

// An unknown user takes about as long as a known one: the fastest of some tries, since others share the processor.
static void test_waste(void **state) {
    struct buf out BUF_AUTO = {.max = 1000};
    struct err e;
    int64_t known = INT64_MAX, unknown = INT64_MAX;
    assert_true(password_hash_make(SLICE("pencil"), &out, &e));
    for (int i = 0; i < 5; i++) {
        int64_t a = now_ns();
        password_hash_verify(buf_slice(&out), SLICE("wrong"));
        int64_t b = now_ns();
        password_hash_waste(NULL, SLICE("wrong"));
        int64_t c = now_ns();
        known = b - a < known ? b - a : known;
        unknown = c - b < unknown ? c - b : unknown;
    }
    assert_true(unknown > known / 4 && unknown < known * 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_make),
                                       cmocka_unit_test(test_long), cmocka_unit_test(test_waste)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
