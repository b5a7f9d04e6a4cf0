// certificate: a key of its own for each run, so that none is kept anywhere.
#include "certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

static X509 *self_signed(EVP_PKEY *key) {
    X509 *x = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"mx", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_sign(x, key, EVP_sha256());
    return x;
}

static struct slice text_of(BIO *bio) {
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    return slice_of(p, (size_t)n);
}

struct tls_server *certificate_server(void) {
    struct err e;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = self_signed(key);
    BIO *pem = BIO_new(BIO_s_mem()), *pem_key = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(pem, x);
    PEM_write_bio_PrivateKey(pem_key, key, NULL, NULL, 0, NULL, NULL);
    struct tls_server *server = tls_server_new(text_of(pem), text_of(pem_key), &e);
    BIO_free(pem);
    BIO_free(pem_key);
    X509_free(x);
    EVP_PKEY_free(key);
    if (!server)
        abort();
    return server;
}
