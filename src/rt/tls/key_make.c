// key_make: by OpenSSL.
#include "rt/tls/key_make.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static bool fail(struct err *e, const char *what) {
    ERR_clear_error();
    return err_set(e, ERR_PERMANENT, "%s", what);
}

bool key_make(bool ed25519, uint32_t bits, struct buf *pem, struct err *e) {
    EVP_PKEY *key =
        ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
    BIO *out = BIO_new(BIO_s_secmem());
    bool ok = key && out && PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;
    char *text = NULL;
    long n = ok ? BIO_get_mem_data(out, &text) : 0;
    ok = ok && n > 0 && buf_add(pem, slice_of(text, (size_t)n));
    BIO_free(out);
    EVP_PKEY_free(key);
    return ok || fail(e, "a key can't be made");
}

static bool add_rsa(EVP_PKEY *key, struct buf *to) {
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    bool ok = n > 0 && buf_add(to, slice_of(der, (size_t)n));
    OPENSSL_free(der);
    return ok;
}

static bool add_ed25519(EVP_PKEY *key, struct buf *to) {
    unsigned char bytes[32];
    size_t n = sizeof bytes;
    return EVP_PKEY_get_raw_public_key(key, bytes, &n) == 1 && buf_add(to, slice_of(bytes, n));
}

// A key that asks for a passphrase is none that a server can read.
static int no_passphrase(char *to, int size, int writing, void *arg) { return -1; }

bool key_make_public(struct slice pem, struct key_public *out, struct buf *to, struct err *e) {
    BIO *in = pem.n && pem.n < INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    bool ed25519 = key && EVP_PKEY_is_a(key, "ED25519"), rsa = key && EVP_PKEY_is_a(key, "RSA");
    struct key_public found = {ed25519, key ? (uint32_t)EVP_PKEY_get_bits(key) : 0};
    bool ok = ed25519 ? add_ed25519(key, to) : rsa && add_rsa(key, to);
    BIO_free(in);
    EVP_PKEY_free(key);
    if (!ok)
        return fail(e, key ? "the key is neither RSA nor Ed25519" : "it holds no unencrypted private key as PEM");
    *out = found;
    return true;
}
