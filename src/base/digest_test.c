// digest_test: the vectors of FIPS 180, RFC 2202, RFC 4231, RFC 6070 and RFC 7914.
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void expect(const uint8_t *bytes, size_t n, const char *hex) {
    char text[2 * DIGEST_MAX + 1] = "";
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, hex);
}

static const struct {
    enum digest_kind kind;
    const char *in, *hex;
} hashes[] = {
    {DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {DIGEST_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {DIGEST_SHA512, "abc",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
     "454d4423643ce80e2a9ac94fa54ca49f"},
};

static void test_hashes(void **state) {
    uint8_t out[DIGEST_MAX];
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        digest_of(hashes[i].kind, slice_str(hashes[i].in), out);
        expect(out, digest_size(hashes[i].kind), hashes[i].hex);
    }
    digest_of(DIGEST_SHA1, SLICE_EMPTY, out);
    expect(out, DIGEST_SHA1_SIZE, hashes[1].hex);
}

// However the input is cut; one digest is used for all.
static void test_pieces(void **state) {
    struct digest d DIGEST_AUTO = {0};
    uint8_t out[DIGEST_MAX], peeked[DIGEST_MAX];
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        struct slice in = slice_str(hashes[i].in);
        for (size_t cut = 0; cut <= in.n; cut++) {
            digest_init(&d, hashes[i].kind);
            digest_add(&d, slice_upto(in, cut));
            digest_peek(&d, peeked);
            digest_add(&d, slice_from(in, cut));
            digest_end(&d, out);
            expect(out, digest_size(d.kind), hashes[i].hex);
            digest_of(d.kind, slice_upto(in, cut), out);
            assert_memory_equal(out, peeked, digest_size(d.kind));
        }
    }
    digest_done(&d);
}

static void test_hmac(void **state) {
    uint8_t out[DIGEST_MAX];
    struct slice what = SLICE("what do ya want for nothing?");
    digest_hmac(DIGEST_SHA1, SLICE("Jefe"), what, out); // RFC 2202
    expect(out, DIGEST_SHA1_SIZE, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    digest_hmac(DIGEST_SHA256, SLICE("Jefe"), what, out); // RFC 4231
    expect(out, DIGEST_SHA256_SIZE, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    digest_hmac(DIGEST_SHA512, SLICE("Jefe"), what, out);
    expect(out, DIGEST_SHA512_SIZE,
           "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
           "caeab1a34d4a6b4b636e070a38bce737");
    digest_hmac(DIGEST_SHA256, SLICE_EMPTY, SLICE_EMPTY, out);
    expect(out, DIGEST_SHA256_SIZE, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_pbkdf2(void **state) {
    uint8_t out[DIGEST_MAX];
    digest_pbkdf2(DIGEST_SHA1, SLICE("password"), SLICE("salt"), 4096, out, 20); // RFC 6070
    expect(out, 20, "4b007901b765489abead49d926f721d065a429c1");
    digest_pbkdf2(DIGEST_SHA256, SLICE("passwd"), SLICE("salt"), 1, out, 64); // RFC 7914 11
    expect(out, 64,
           "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
           "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
}

static void test_equal(void **state) {
    assert_true(digest_equal(SLICE("abc"), SLICE("abc")) && digest_equal(SLICE_EMPTY, SLICE("")));
    assert_false(digest_equal(SLICE("abc"), SLICE("abd")) || digest_equal(SLICE("abc"), SLICE("abcd")));
    assert_false(digest_equal(SLICE("\0b"), SLICE("\0c")) || digest_equal(SLICE_EMPTY, SLICE("a")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes), cmocka_unit_test(test_pieces), cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_pbkdf2), cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
