// signature_test: signatures of libcrypto's own hold, and nothing else does.
#include "base/signature.h"

#include "base/buf.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t some_digest[DIGEST_SHA256_SIZE];

static size_t sign(EVP_PKEY *key, const uint8_t *digest, uint8_t *out, size_t room) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert_true(EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1);
    assert_int_equal(EVP_PKEY_sign(ctx, out, &room, digest, DIGEST_SHA256_SIZE), 1);
    EVP_PKEY_CTX_free(ctx);
    return room;
}

static void check_rsa(unsigned bits) {
    uint8_t signature[1025], *der = NULL;
    struct signature_key key;
    struct err e;
    EVP_PKEY *pkey = EVP_RSA_gen(bits);
    size_t n = sign(pkey, some_digest, signature, sizeof signature);
    int der_n = i2d_PUBKEY(pkey, &der);
    assert_true(signature_key_read(false, slice_of(der, (size_t)der_n), &key, &e));
    assert_int_equal(key.bits, bits);
    assert_true(signature_holds(&key, some_digest, slice_of(signature, n)));
    for (size_t i = 0; i < n; i += 13) {
        signature[i] ^= 0x10;
        assert_false(signature_holds(&key, some_digest, slice_of(signature, n)));
        signature[i] ^= 0x10;
    }
    uint8_t other[DIGEST_SHA256_SIZE] = {1};
    assert_false(signature_holds(&key, other, slice_of(signature, n)));
    assert_false(signature_holds(&key, some_digest, slice_of(signature, n - 1)));
    assert_false(signature_holds(&key, some_digest, slice_of(signature, n + 1)));
    assert_false(signature_holds(&key, some_digest, SLICE_EMPTY));
    memset(signature, 0xff, sizeof signature); // more than the modulus
    assert_false(signature_holds(&key, some_digest, slice_of(signature, n)));
    memset(signature, 0, sizeof signature);
    assert_false(signature_holds(&key, some_digest, slice_of(signature, n)));
    for (size_t cut = 0; cut < (size_t)der_n; cut++)
        assert_false(signature_key_read(false, slice_of(der, cut), &key, &e));
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
}

static void test_rsa(void **state) {
    for (unsigned bits = 1024; bits <= 2048; bits += 511 + (bits > 1024)) // a length of no whole bytes as well
        check_rsa(bits);
}

// The same key as RSAPublicKey alone.
static void test_bare(void **state) {
    uint8_t signature[256], *der = NULL;
    struct signature_key key, bare;
    struct err e;
    EVP_PKEY *pkey = EVP_RSA_gen(1024);
    size_t n = sign(pkey, some_digest, signature, sizeof signature);
    int der_n = i2d_PUBKEY(pkey, &der);
    assert_true(signature_key_read(false, slice_of(der, (size_t)der_n), &key, &e));
    assert_true(signature_key_read(false, slice_of(der + 22, (size_t)der_n - 22), &bare, &e));
    assert_true(slice_eq(bare.modulus, key.modulus) && slice_eq(bare.exponent, key.exponent));
    assert_true(signature_holds(&bare, some_digest, slice_of(signature, n)));
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
}

// A modulus of so many bytes, each `fill`, that ends with `last`, and an exponent.
static struct slice make_der(struct buf *out, size_t n, uint8_t fill, uint8_t last, struct slice exponent) {
    buf_reset(out);
    size_t inside = 4 + 1 + n + 2 + exponent.n;
    uint8_t head[] = {
        0x30, 0x82, (uint8_t)(inside >> 8), (uint8_t)inside, 0x02, 0x82, (uint8_t)((n + 1) >> 8), (uint8_t)(n + 1), 0};
    buf_add(out, slice_of(head, sizeof head));
    for (size_t i = 0; i + 1 < n; i++)
        buf_add_char(out, (char)fill);
    buf_add_char(out, (char)last);
    buf_add_char(out, 0x02);
    buf_add_char(out, (char)exponent.n);
    buf_add(out, exponent);
    return buf_slice(out);
}

static void test_hostile_keys(void **state) {
    const struct {
        size_t n;
        uint8_t fill, last;
        struct slice exponent;
        bool good;
    } table[] = {
        {128, 0xff, 0xff, SLICE("\1\0\1"), true},
        {128, 0xff, 0xfe, SLICE("\1\0\1"), false}, // even
        {128, 0xff, 0xff, SLICE("\1\0\2"), false},
        {128, 0xff, 0xff, SLICE("\1"), false},
        {128, 0xff, 0xff, SLICE("\3"), true},
        {128, 0xff, 0xff, SLICE(""), false},
        {128, 0xff, 0xff, SLICE("\xff\xff\xff\xff\xff\xff\xff\xff"), true},
        {128, 0xff, 0xff, SLICE("\1\0\0\0\0\0\0\0\1"), false}, // would take long
        {128, 0x00, 0x01, SLICE("\1\0\1"), false},             // 1
        {128, 0x00, 0x00, SLICE("\1\0\1"), false},             // 0
        {1024, 0xff, 0xff, SLICE("\1\0\1"), true},
        {1025, 0xff, 0xff, SLICE("\1\0\1"), false},
    };
    BUF_AUTO struct buf der = {.max = 4096};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct signature_key key;
        struct err e;
        struct slice text = make_der(&der, table[i].n, table[i].fill, table[i].last, table[i].exponent);
        assert_int_equal(signature_key_read(false, text, &key, &e), table[i].good);
        if (table[i].good)
            assert_false(signature_holds(&key, some_digest, slice_upto(key.modulus, table[i].n)));
    }
}

static void test_garbage(void **state) {
    const struct slice table[] = {
        SLICE(""),
        SLICE("\x30"),
        SLICE("\x30\x80"),
        SLICE("\x30\x84\x01\x01\x01\x01"),
        SLICE("\x30\x83\xff\xff\xff"),
        SLICE("\x30\x06\x02\x01\x03\x02\x01\x03"),
        SLICE("-----BEGIN PUBLIC KEY-----"),
    };
    struct signature_key key;
    struct err e;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_false(signature_key_read(false, table[i], &key, &e));
    assert_false(signature_key_read(true, SLICE("short"), &key, &e));
}

static void test_ed25519(void **state) {
    uint8_t point[32], signature[64];
    size_t point_n = sizeof point, n = sizeof signature;
    struct signature_key key;
    struct err e;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, point, &point_n), 1);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &n, some_digest, DIGEST_SHA256_SIZE), 1);
    assert_true(signature_key_read(true, slice_of(point, point_n), &key, &e));
    assert_int_equal(key.bits, 256);
    assert_true(signature_holds(&key, some_digest, slice_of(signature, n)));
    assert_false(signature_holds(&key, some_digest, slice_of(signature, n - 1)));
    signature[5] ^= 1;
    assert_false(signature_holds(&key, some_digest, slice_of(signature, n)));
    memset(point, 0xff, sizeof point); // no point of the curve
    assert_false(signature_holds(&key, some_digest, slice_of(signature, n)));
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsa),     cmocka_unit_test(test_bare),    cmocka_unit_test(test_hostile_keys),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_ed25519),
    };
    digest_of(DIGEST_SHA256, SLICE("some text"), some_digest);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
