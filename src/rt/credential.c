// credential: PEM files looked at by OpenSSL.
#include "rt/credential.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static BIO *bio_of(struct slice s) { return s.n && s.n < INT_MAX ? BIO_new_mem_buf(s.p, (int)s.n) : NULL; }

// A key that asks for a passphrase can't be read by a server that starts alone.
static int no_passphrase(char *to, int size, int writing, void *arg) { return -1; }

static X509 *read_certificate(struct slice pem) {
    BIO *in = bio_of(pem);
    X509 *x = in ? PEM_read_bio_X509(in, NULL, no_passphrase, NULL) : NULL;
    BIO_free(in);
    return x;
}

static EVP_PKEY *read_key(struct slice pem) {
    BIO *in = bio_of(pem);
    EVP_PKEY *k = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    BIO_free(in);
    return k;
}

static bool judge(X509 *certificate, EVP_PKEY *key, int64_t now, struct err *e) {
    time_t at = (time_t)now;
    if (!certificate)
        return err_set(e, ERR_PERMANENT, "the certificate is no PEM certificate");
    if (!key)
        return err_set(e, ERR_PERMANENT, "the key is no unencrypted PEM private key");
    if (X509_check_private_key(certificate, key) != 1)
        return err_set(e, ERR_PERMANENT, "the key does not belong to the certificate");
    if (X509_cmp_time(X509_get0_notAfter(certificate), &at) < 0)
        return err_set(e, ERR_PERMANENT, "the certificate has expired");
    return true;
}

bool credential_check(struct slice certificate, struct slice key, int64_t now, struct err *e) {
    X509 *x = read_certificate(certificate);
    EVP_PKEY *k = read_key(key);
    bool ok = judge(x, k, now, e);
    X509_free(x);
    EVP_PKEY_free(k);
    ERR_clear_error();
    return ok;
}
