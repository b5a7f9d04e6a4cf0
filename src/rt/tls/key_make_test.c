// key_make_test: keys that are made can be read, and their public halves are those.
#include "rt/tls/key_make.h"

#include "core/message/message_keys.h"
#include "rt/tls/private_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cmocka.h>

static EVP_PKEY *public_of(bool ed25519, struct slice bytes) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    return ed25519 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p, bytes.n)
                   : d2i_PUBKEY(NULL, &p, (long)bytes.n);
}

static void check(bool ed25519, uint32_t bits) {
    BUF_AUTO struct buf pem = {.max = 65536}, pub = {.max = 65536}, signature = {.max = 65536};
    struct key_public found;
    struct err e = {0};
    uint8_t digest[32] = "thirty-two bytes, or a few less";
    assert_true(key_make(ed25519, bits, &pem, &e));
    assert_true(key_make_public(buf_slice(&pem), &found, &pub, &e));
    assert_int_equal(found.ed25519, ed25519);
    assert_int_equal(found.bits, ed25519 ? 256 : bits);
    struct private_key *key = private_key_read(buf_slice(&pem), &e);
    assert_non_null(key);
    struct message_keys_sign ask = {.padding = ed25519 ? MESSAGE_KEYS_NONE : MESSAGE_KEYS_PKCS1,
                                    .hash = ed25519 ? MESSAGE_KEYS_PURE : MESSAGE_KEYS_SHA256,
                                    .digest = slice_of(digest, sizeof digest)};
    assert_true(private_key_sign(key, &ask, &signature, &e));
    EVP_PKEY *verifier = public_of(ed25519, buf_slice(&pub));
    assert_non_null(verifier);
    if (ed25519) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, verifier), 1);
        assert_int_equal(EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n, digest, sizeof digest),
                         1);
        EVP_MD_CTX_free(ctx);
    }
    EVP_PKEY_free(verifier);
    private_key_free(key);
}

static void test_ed25519(void **state) { check(true, 0); }
static void test_rsa(void **state) { check(false, KEY_MAKE_RSA_LEAST); }

static void test_not_a_key(void **state) {
    BUF_AUTO struct buf pub = {.max = 65536};
    struct key_public found;
    struct err e = {0};
    assert_false(key_make_public(SLICE("no key"), &found, &pub, &e));
    assert_non_null(strstr(e.text, "no unencrypted"));
    assert_false(key_make_public(SLICE(""), &found, &pub, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_not_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
