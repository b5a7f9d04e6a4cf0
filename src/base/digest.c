// digest: by the EVP interface of libcrypto. What can fail there is memory, or a libcrypto without SHA: both end us.
#include "base/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

static const EVP_MD *algorithm(enum digest_kind kind) {
    return kind == DIGEST_SHA1 ? EVP_sha1() : kind == DIGEST_SHA256 ? EVP_sha256() : EVP_sha512();
}

static void must(bool ok) {
    if (!ok)
        abort();
}

// libcrypto minds a NULL even where there is nothing to read.
static const void *bytes_of(struct slice s) { return s.n ? s.p : ""; }

static int length_of(struct slice s) {
    must(s.n <= INT_MAX);
    return (int)s.n;
}

size_t digest_size(enum digest_kind kind) {
    return kind == DIGEST_SHA1 ? DIGEST_SHA1_SIZE : kind == DIGEST_SHA256 ? DIGEST_SHA256_SIZE : DIGEST_SHA512_SIZE;
}

void digest_of(enum digest_kind kind, struct slice bytes, uint8_t *out) {
    must(EVP_Digest(bytes_of(bytes), bytes.n, out, NULL, algorithm(kind), NULL));
}

void digest_init(struct digest *d, enum digest_kind kind) {
    if (!d->context)
        must((d->context = EVP_MD_CTX_new()) != NULL);
    d->kind = kind;
    must(EVP_DigestInit_ex(d->context, algorithm(kind), NULL));
}

void digest_add(struct digest *d, struct slice bytes) {
    if (bytes.n)
        must(EVP_DigestUpdate(d->context, bytes.p, bytes.n));
}

void digest_end(struct digest *d, uint8_t *out) { must(EVP_DigestFinal_ex(d->context, out, NULL)); }

void digest_peek(const struct digest *d, uint8_t *out) {
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    must(copy && EVP_MD_CTX_copy_ex(copy, d->context) && EVP_DigestFinal_ex(copy, out, NULL));
    EVP_MD_CTX_free(copy);
}

void digest_done(struct digest *d) {
    EVP_MD_CTX_free(d->context);
    d->context = NULL;
}

void digest_hmac(enum digest_kind kind, struct slice key, struct slice bytes, uint8_t *out) {
    must(HMAC(algorithm(kind), bytes_of(key), length_of(key), bytes_of(bytes), bytes.n, out, NULL) != NULL);
}

void digest_pbkdf2(enum digest_kind kind, struct slice password, struct slice salt, uint32_t iterations, uint8_t *out,
                   size_t n) {
    must(iterations >= 1 && iterations <= INT_MAX && n <= INT_MAX);
    must(PKCS5_PBKDF2_HMAC(bytes_of(password), length_of(password), bytes_of(salt), length_of(salt), (int)iterations,
                           algorithm(kind), (int)n, out));
}

bool digest_equal(struct slice a, struct slice b) {
    return a.n == b.n && CRYPTO_memcmp(bytes_of(a), bytes_of(b), a.n) == 0;
}
