// private_key_test: each kind signs as asked, and what it signs is verified; what isn't a key, or no pair, is told
// apart.
#include "rt/credential.h"
#include "rt/tls/tls_test_keys.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct tls_test_key keys[4];

static int make_keys(void **state) {
    (void)state;
    private_key_protect(64);
    for (int kind = 0; kind < 4; kind++)
        tls_test_key(&keys[kind], (enum tls_test_kind)kind, "mx.example.org", NULL);
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++)
        tls_test_key_done(&keys[kind]);
    return 0;
}

static bool verify(EVP_PKEY *key, const struct message_keys_sign *what, const EVP_MD *md, struct slice signature) {
    const unsigned char *bytes = (const unsigned char *)what->digest.p, *sig = (const unsigned char *)signature.p;
    bool ok;
    if (!md) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
             EVP_DigestVerify(ctx, sig, signature.n, bytes, what->digest.n) == 1;
        EVP_MD_CTX_free(ctx);
        return ok;
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    ok = EVP_PKEY_verify_init(ctx) == 1;
    if (what->padding != MESSAGE_KEYS_NONE) {
        EVP_PKEY_CTX_set_rsa_padding(ctx,
                                     what->padding == MESSAGE_KEYS_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING);
        EVP_PKEY_CTX_set_signature_md(ctx, md);
        if (what->padding == MESSAGE_KEYS_PSS)
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST);
    }
    ok = ok && EVP_PKEY_verify(ctx, sig, signature.n, bytes, what->digest.n) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static void test_sign(void **state) {
    static const char bytes[64] = "what is to be signed";
    const struct {
        enum tls_test_kind kind;
        enum message_keys_padding padding;
        enum message_keys_hash hash;
        size_t n;
        bool ok;
    } cases[] = {
        {TLS_TEST_RSA, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, 32, true},
        {TLS_TEST_RSA, MESSAGE_KEYS_PSS, MESSAGE_KEYS_SHA256, 32, true},
        {TLS_TEST_RSA, MESSAGE_KEYS_PSS, MESSAGE_KEYS_SHA512, 64, true},
        {TLS_TEST_RSA, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, 32, true},
        {TLS_TEST_RSA, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_MD5_SHA1, 36, true},
        {TLS_TEST_RSA, MESSAGE_KEYS_PSS, MESSAGE_KEYS_MD5_SHA1, 36, false},
        {TLS_TEST_RSA, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, 32, false},
        {TLS_TEST_RSA, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_PURE, 32, false},
        {TLS_TEST_EC, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, 32, true},
        {TLS_TEST_EC, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA1, 20, true},
        {TLS_TEST_EC, MESSAGE_KEYS_PSS, MESSAGE_KEYS_SHA256, 32, false},
        {TLS_TEST_EC, MESSAGE_KEYS_NONE, MESSAGE_KEYS_PURE, 32, false},
        {TLS_TEST_EC_384, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA384, 48, true},
        {TLS_TEST_ED25519, MESSAGE_KEYS_NONE, MESSAGE_KEYS_PURE, 64, true},
        {TLS_TEST_ED25519, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, 32, false},
    };
    const EVP_MD *const hashes[] = {NULL, EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512(), EVP_md5_sha1()};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUF_AUTO struct buf out = {.max = MESSAGE_KEYS_SIGNATURE_MAX};
        struct tls_test_key *k = &keys[cases[i].kind];
        struct message_keys_sign what = {0, cases[i].padding, cases[i].hash, slice_of(bytes, cases[i].n)};
        struct err e;
        if (private_key_sign(k->key, &what, &out, &e) != cases[i].ok)
            fail_msg("case %zu: %s", i, cases[i].ok ? e.text : "signed");
        if (cases[i].ok && !verify(k->pair, &what, hashes[cases[i].hash], buf_slice(&out)))
            fail_msg("case %zu isn't verified", i);
    }
}

static void test_numbers(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct err e;
        struct private_key *again = private_key_read(buf_slice(&keys[kind].pem), &e);
        assert_non_null(again);
        assert_int_equal(private_key_number(again, SLICE("tls")), private_key_number(keys[kind].key, SLICE("tls")));
        assert_int_not_equal(private_key_number(again, SLICE("dkim")), private_key_number(again, SLICE("tls")));
        assert_int_not_equal(private_key_number(again, SLICE("tls")),
                             private_key_number(keys[(kind + 1) % 4].key, SLICE("tls")));
        private_key_free(again);
    }
}

static void test_pairs(void **state) {
    struct err e = {0};
    struct slice chain = buf_slice(&keys[TLS_TEST_EC].chain), pem = buf_slice(&keys[TLS_TEST_EC].pem);
    int64_t expiry;
    bool ed25519;
    (void)state;
    assert_true(credential_check(chain, pem, &e));
    assert_false(credential_check(chain, buf_slice(&keys[TLS_TEST_RSA].pem), &e));
    assert_non_null(strstr(e.text, "does not belong"));
    assert_false(credential_check(SLICE("nonsense"), pem, &e));
    assert_non_null(strstr(e.text, "no PEM certificate"));
    assert_false(credential_check(chain, SLICE("nonsense"), &e));
    assert_non_null(strstr(e.text, "no unencrypted PEM"));
    assert_false(credential_check(chain, SLICE_EMPTY, &e));
    assert_true(credential_expiry(chain, &expiry, &e));
    assert_true(expiry > 1000000000);
    assert_true(credential_check_dkim(buf_slice(&keys[TLS_TEST_RSA].pem), &ed25519, &e) && !ed25519);
    assert_true(credential_check_dkim(buf_slice(&keys[TLS_TEST_ED25519].pem), &ed25519, &e) && ed25519);
    assert_false(credential_check_dkim(pem, &ed25519, &e));
    for (size_t cut = 0; cut + 2 < pem.n; cut += 7) // half a file, as while it is written
        assert_false(credential_check(chain, slice_upto(pem, cut), &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sign), cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_pairs)};
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
