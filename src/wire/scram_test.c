// scram_test: the exchanges printed in RFC 5802 5 and RFC 7677 3.
#include "base/base64.h"
#include "wire/scram.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    enum digest_kind kind;
    const char *salt, *auth_message, *proof, *signature; // all but auth_message in base64
} exchanges[] = {
    {DIGEST_SHA1, "QSXCR+Q6sek8bf92",
     "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
     "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    {DIGEST_SHA256, "W22ZaJ0SNY7soEsUEjb6gQ==",
     "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
     "i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};

static void expect(enum digest_kind kind, const uint8_t *bytes, const char *base64) {
    struct buf text BUF_AUTO = {.max = 100};
    assert_true(base64_encode(&text, slice_of(bytes, digest_size(kind))));
    assert_true(slice_eq(buf_slice(&text), slice_str(base64)));
}

static void test_vectors(void **state) {
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
        enum digest_kind kind = exchanges[i].kind;
        struct slice message = slice_str(exchanges[i].auth_message);
        struct buf salt BUF_AUTO = {.max = 100};
        struct scram_keys keys;
        uint8_t proof[SCRAM_KEY_MAX], signature[SCRAM_KEY_MAX];
        assert_true(base64_decode(&salt, slice_str(exchanges[i].salt)));
        scram_keys_of(kind, SLICE("pencil"), buf_slice(&salt), 4096, &keys);
        scram_proof(kind, SLICE("pencil"), buf_slice(&salt), 4096, message, proof);
        expect(kind, proof, exchanges[i].proof);
        scram_server_signature(kind, &keys, message, signature);
        expect(kind, signature, exchanges[i].signature);
        struct slice given = slice_of(proof, digest_size(kind));
        assert_true(scram_proof_fits(kind, &keys, message, given));
        assert_false(scram_proof_fits(kind, &keys, slice_from(message, 1), given));
        assert_false(scram_proof_fits(kind, &keys, message, slice_upto(given, given.n - 1)));
        proof[0] ^= 1;
        assert_false(scram_proof_fits(kind, &keys, message, given));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
