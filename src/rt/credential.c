// credential: PEM files looked at by OpenSSL.
#include "rt/credential.h"

#include "rt/tls/private_key.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { DKIM_BITS = 2048 }; // RFC 8301 3.2

static X509 *read_certificate(struct slice pem) {
    BIO *in = pem.n && pem.n < INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    ERR_clear_error();
    return x;
}

bool credential_check(struct slice certificate, struct slice key, struct err *e) {
    int64_t expiry;
    if (!credential_expiry(certificate, &expiry, e))
        return false;
    struct private_key *k = private_key_read(key, e);
    bool ok = k && private_key_fits(k, certificate, e);
    private_key_free(k);
    return ok;
}

bool credential_expiry(struct slice chain, int64_t *at, struct err *e) {
    X509 *x = read_certificate(chain);
    struct tm parts = {0};
    bool ok = x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &parts) == 1;
    if (ok)
        *at = timegm(&parts);
    X509_free(x);
    ERR_clear_error();
    return ok || err_set(e, ERR_PERMANENT, "the certificate is no PEM certificate");
}

bool credential_check_dkim(struct slice key, bool *ed25519, struct err *e) {
    struct private_key *k = private_key_read(key, e);
    if (!k)
        return false;
    enum private_key_kind kind = private_key_kind(k);
    bool strong = kind == PRIVATE_KEY_ED25519 || private_key_bits(k) >= DKIM_BITS;
    private_key_free(k);
    *ed25519 = kind == PRIVATE_KEY_ED25519;
    if (kind == PRIVATE_KEY_EC)
        return err_set(e, ERR_PERMANENT, "the key is neither RSA nor Ed25519");
    return strong || err_set(e, ERR_PERMANENT, "the RSA key has fewer than %d bits", DKIM_BITS);
}
