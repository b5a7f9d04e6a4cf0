// signature: a public RSA operation and a comparison with the one padding that is right (RFC 8017 9.2): nothing of what
// comes out of it is parsed, so no forgery can hide in it. Done with big numbers, since libcrypto's own decoders of
// keys take longer than the operation.
#include "base/signature.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum {
    EXPONENT_BITS = 64,
    RSA_BITS_LEAST = 512,
    PAD_LEAST = 8,
    DER_INTEGER = 0x02,
    DER_BITS = 0x03,
    DER_OID = 0x06,
    DER_SEQUENCE = 0x30
};

// --- keys

// Takes an element off `rest` (X.690 8.1); one of another tag, or one that is cut short, is none.
static bool der_next(struct slice *rest, uint8_t tag, struct slice *inside) {
    const uint8_t *p = (const uint8_t *)rest->p;
    size_t head = 2, length;
    if (rest->n < head || p[0] != tag)
        return false;
    length = p[1];
    if (length & 0x80) { // so many bytes of length follow
        size_t more = length & 0x7f;
        if (more == 0 || more > 3 || rest->n < head + more)
            return false;
        for (length = 0; more; more--)
            length = length << 8 | p[head++];
    }
    if (rest->n - head < length)
        return false;
    *inside = slice_of(rest->p + head, length);
    *rest = slice_from(*rest, head + length);
    return true;
}

static struct slice without_zeros(struct slice s) {
    while (s.n && s.p[0] == '\0')
        s = slice_from(s, 1);
    return s;
}

static unsigned bits_of(struct slice s) {
    return s.n ? (unsigned)(8 * s.n) - (unsigned)__builtin_clz((uint8_t)s.p[0]) + 24 : 0;
}

static bool is_odd(struct slice s) { return s.n && (s.p[s.n - 1] & 1); }

// RSAPublicKey (RFC 8017 A.1.1): what is inside its sequence.
static bool read_numbers(struct slice inside, struct signature_key *key) {
    struct slice n, e;
    if (!der_next(&inside, DER_INTEGER, &n) || !der_next(&inside, DER_INTEGER, &e))
        return false;
    key->modulus = without_zeros(n);
    key->exponent = without_zeros(e);
    return true;
}

// SubjectPublicKeyInfo (RFC 5280 4.1): what is inside its sequence.
static bool read_info(struct slice inside, struct signature_key *key) {
    struct slice algorithm, oid, bits, numbers;
    if (!der_next(&inside, DER_SEQUENCE, &algorithm) || !der_next(&algorithm, DER_OID, &oid) ||
        !slice_eq(oid, SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")) || !der_next(&inside, DER_BITS, &bits) ||
        bits.n == 0 || bits.p[0] != '\0')
        return false;
    bits = slice_from(bits, 1);
    return der_next(&bits, DER_SEQUENCE, &numbers) && read_numbers(numbers, key);
}

static bool read_rsa(struct slice der, struct signature_key *key, struct err *e) {
    struct slice inside;
    if (!der_next(&der, DER_SEQUENCE, &inside) || !(read_numbers(inside, key) || read_info(inside, key)))
        return err_set(e, ERR_PERMANENT, "it is no RSA key in DER");
    key->bits = bits_of(key->modulus);
    if (key->bits > SIGNATURE_RSA_MAX)
        return err_set(e, ERR_PERMANENT, "its RSA key has %u bits; at most %d are taken", key->bits, SIGNATURE_RSA_MAX);
    if (key->bits < RSA_BITS_LEAST || !is_odd(key->modulus) || !is_odd(key->exponent) || bits_of(key->exponent) < 2 ||
        bits_of(key->exponent) > EXPONENT_BITS)
        return err_set(e, ERR_PERMANENT, "its numbers make no RSA key");
    return true;
}

bool signature_key_read(bool ed25519, struct slice key, struct signature_key *out, struct err *e) {
    struct signature_key found = {.ed25519 = ed25519, .bits = 8 * SIGNATURE_ED25519_KEY, .point = key};
    if (ed25519 && key.n != SIGNATURE_ED25519_KEY)
        return err_set(e, ERR_PERMANENT, "its Ed25519 key has %zu bytes instead of %d", key.n, SIGNATURE_ED25519_KEY);
    if (!ed25519) {
        found.point = SLICE_EMPTY;
        if (!read_rsa(key, &found, e))
            return false;
    }
    *out = found;
    return true;
}

// --- signatures

static void must(bool ok) {
    if (!ok)
        abort();
}

static BIGNUM *number(BN_CTX *ctx, struct slice s) {
    BIGNUM *n = BN_CTX_get(ctx);
    must(n && BN_bin2bn((const uint8_t *)s.p, (int)s.n, n));
    return n;
}

// signature ^ exponent mod modulus, as long as the modulus is.
static bool open_signature(const struct signature_key *key, struct slice signature, uint8_t *out) {
    BN_CTX *ctx = BN_CTX_new();
    must(ctx != NULL);
    BN_CTX_start(ctx);
    BIGNUM *m = number(ctx, key->modulus), *e = number(ctx, key->exponent), *s = number(ctx, signature);
    bool ok = BN_cmp(s, m) < 0;
    if (ok)
        must(BN_mod_exp_mont(s, s, e, m, ctx, NULL) && BN_bn2binpad(s, out, (int)key->modulus.n) >= 0);
    BN_CTX_end(ctx);
    BN_CTX_free(ctx);
    return ok;
}

// EMSA-PKCS1-v1_5 (RFC 8017 9.2): 00 01 ff ... ff 00, what says that a SHA-256 follows, and the digest.
static bool encode(const uint8_t digest[DIGEST_SHA256_SIZE], uint8_t *to, size_t n) {
    static const uint8_t sha256[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                     0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    size_t tail = sizeof sha256 + DIGEST_SHA256_SIZE;
    if (n < tail + 3 + PAD_LEAST)
        return false;
    memset(to, 0xff, n);
    to[0] = 0;
    to[1] = 1;
    to[n - tail - 1] = 0;
    memcpy(to + n - tail, sha256, sizeof sha256);
    memcpy(to + n - DIGEST_SHA256_SIZE, digest, DIGEST_SHA256_SIZE);
    return true;
}

static bool rsa_holds(const struct signature_key *key, const uint8_t *digest, struct slice signature) {
    uint8_t want[SIGNATURE_RSA_MAX / 8], got[SIGNATURE_RSA_MAX / 8];
    size_t n = key->modulus.n;
    return n <= sizeof want && signature.n == n && encode(digest, want, n) && open_signature(key, signature, got) &&
           memcmp(want, got, n) == 0;
}

static bool ed25519_holds(const struct signature_key *key, const uint8_t *digest, struct slice signature) {
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)key->point.p, key->point.n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = pkey && ctx && signature.n == SIGNATURE_ED25519_SIZE &&
              EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestVerify(ctx, (const uint8_t *)signature.p, signature.n, digest, DIGEST_SHA256_SIZE) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return ok;
}

bool signature_holds(const struct signature_key *key, const uint8_t digest[DIGEST_SHA256_SIZE],
                     struct slice signature) {
    return key->ed25519 ? ed25519_holds(key, digest, signature) : rsa_holds(key, digest, signature);
}
