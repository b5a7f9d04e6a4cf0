// private_key: OpenSSL's keys, and its signing of a value that somebody else has hashed.
#include "rt/tls/private_key.h"

#include "base/digest.h"
#include "base/mem.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum {
    SECURE_KEY = 4096, // bytes that one takes, RSA of 4096 bits included, as long as not all are of 8192
    SECURE_PIECE = 64, // bytes of the least allocation
};

struct private_key {
    EVP_PKEY *key;
    enum private_key_kind kind;
    // A context that is set up for what was asked last, since the same is asked again and again.
    EVP_PKEY_CTX *ready;
    enum message_keys_padding padding;
    enum message_keys_hash hash;
};

static bool fail(struct err *e, const char *what) {
    char text[160] = "";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return err_set(e, ERR_PERMANENT, "%s%s%s", what, *text ? ": " : "", text);
}

void private_key_protect(size_t keys) {
    size_t bytes = SECURE_KEY; // a power of two
    while (bytes < keys * SECURE_KEY)
        bytes *= 2;
    (void)CRYPTO_secure_malloc_init(bytes, SECURE_PIECE);
}

// A key that asks for a passphrase can't be read by a server that starts alone.
static int no_passphrase(char *to, int size, int writing, void *arg) { return -1; }

static bool kind_of(const EVP_PKEY *key, enum private_key_kind *out) {
    static const struct {
        const char *name;
        enum private_key_kind kind;
    } kinds[] = {{"RSA", PRIVATE_KEY_RSA}, {"EC", PRIVATE_KEY_EC}, {"ED25519", PRIVATE_KEY_ED25519}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (EVP_PKEY_is_a(key, kinds[i].name)) {
            *out = kinds[i].kind;
            return true;
        }
    return false;
}

struct private_key *private_key_read(struct slice pem, struct err *e) {
    BIO *in = pem.n && pem.n < INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    enum private_key_kind kind;
    BIO_free(in);
    if (!key || !kind_of(key, &kind)) {
        ERR_clear_error();
        err_set(e, ERR_PERMANENT,
                key ? "the key is neither RSA, EC nor Ed25519" : "the key is no unencrypted PEM private key");
        EVP_PKEY_free(key);
        return NULL;
    }
    struct private_key *k = MEM_NEW(struct private_key);
    *k = (struct private_key){.key = key, .kind = kind};
    return k;
}

void private_key_free(struct private_key *k) {
    if (!k)
        return;
    EVP_PKEY_CTX_free(k->ready);
    EVP_PKEY_free(k->key);
    free(k);
}

enum private_key_kind private_key_kind(const struct private_key *k) { return k->kind; }
uint32_t private_key_bits(const struct private_key *k) { return (uint32_t)EVP_PKEY_get_bits(k->key); }

uint32_t private_key_number(const struct private_key *k, struct slice purpose) {
    DIGEST_AUTO struct digest d = {0};
    uint8_t value[DIGEST_MAX];
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k->key, &der);
    digest_init(&d, DIGEST_SHA256);
    digest_add(&d, purpose);
    digest_add(&d, SLICE("\0"));
    if (n > 0)
        digest_add(&d, slice_of(der, (size_t)n));
    digest_end(&d, value);
    OPENSSL_free(der);
    return (uint32_t)value[0] << 24 | (uint32_t)value[1] << 16 | (uint32_t)value[2] << 8 | value[3];
}

bool private_key_fits(const struct private_key *k, struct slice chain, struct err *e) {
    BIO *in = chain.n && chain.n < INT_MAX ? BIO_new_mem_buf(chain.p, (int)chain.n) : NULL;
    X509 *leaf = in ? PEM_read_bio_X509(in, NULL, no_passphrase, NULL) : NULL;
    bool fits = leaf && X509_check_private_key(leaf, k->key) == 1;
    BIO_free(in);
    ERR_clear_error();
    if (!fits)
        err_set(e, ERR_PERMANENT,
                leaf ? "the key does not belong to the certificate" : "the certificate is no PEM certificate");
    X509_free(leaf);
    return fits;
}

// --- signing

static const EVP_MD *hash_of(enum message_keys_hash hash) {
    switch (hash) {
    case MESSAGE_KEYS_SHA1:
        return EVP_sha1();
    case MESSAGE_KEYS_SHA256:
        return EVP_sha256();
    case MESSAGE_KEYS_SHA384:
        return EVP_sha384();
    case MESSAGE_KEYS_SHA512:
        return EVP_sha512();
    case MESSAGE_KEYS_MD5_SHA1:
        return EVP_md5_sha1();
    default:
        return NULL;
    }
}

static bool suits(const struct private_key *k, const struct message_keys_sign *what) {
    switch (k->kind) {
    case PRIVATE_KEY_RSA:
        return what->padding != MESSAGE_KEYS_NONE && hash_of(what->hash) &&
               (what->padding == MESSAGE_KEYS_PKCS1 || what->hash != MESSAGE_KEYS_MD5_SHA1);
    case PRIVATE_KEY_EC:
        return what->padding == MESSAGE_KEYS_NONE && hash_of(what->hash) && what->hash != MESSAGE_KEYS_MD5_SHA1;
    default:
        return what->padding == MESSAGE_KEYS_NONE && what->hash == MESSAGE_KEYS_PURE;
    }
}

// RFC 8446 4.2.3: the salt of PSS is as long as the hash, and MGF1 uses the same hash (OpenSSL's default).
static bool set_rsa(EVP_PKEY_CTX *ctx, const struct message_keys_sign *what) {
    bool pss = what->padding == MESSAGE_KEYS_PSS;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(ctx, hash_of(what->hash)) == 1 &&
           (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static EVP_PKEY_CTX *prepare(struct private_key *k, const struct message_keys_sign *what) {
    if (k->ready && k->padding == what->padding && k->hash == what->hash)
        return k->ready;
    EVP_PKEY_CTX_free(k->ready);
    k->ready = EVP_PKEY_CTX_new(k->key, NULL);
    k->padding = what->padding;
    k->hash = what->hash;
    if (k->ready && EVP_PKEY_sign_init(k->ready) == 1 && (k->kind != PRIVATE_KEY_RSA || set_rsa(k->ready, what)))
        return k->ready;
    EVP_PKEY_CTX_free(k->ready);
    k->ready = NULL;
    return NULL;
}

static bool sign_value(struct private_key *k, const struct message_keys_sign *what, unsigned char *to, size_t *n) {
    EVP_PKEY_CTX *ctx = prepare(k, what);
    return ctx && EVP_PKEY_sign(ctx, to, n, (const unsigned char *)what->digest.p, what->digest.n) == 1;
}

static bool sign_pure(struct private_key *k, const struct message_keys_sign *what, unsigned char *to, size_t *n) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key) == 1 &&
              EVP_DigestSign(ctx, to, n, (const unsigned char *)what->digest.p, what->digest.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool private_key_sign(struct private_key *k, const struct message_keys_sign *what, struct buf *out, struct err *e) {
    size_t n = MESSAGE_KEYS_SIGNATURE_MAX;
    if (!suits(k, what))
        return err_set(e, ERR_PERMANENT, "the key doesn't sign so");
    unsigned char *to = (unsigned char *)buf_reserve(out, n);
    if (!to)
        return err_set(e, ERR_TEMPORARY, "no room for a signature");
    bool ok = k->kind == PRIVATE_KEY_ED25519 ? sign_pure(k, what, to, &n) : sign_value(k, what, to, &n);
    if (!ok)
        return fail(e, "signing failed");
    buf_commit(out, n);
    return true;
}
