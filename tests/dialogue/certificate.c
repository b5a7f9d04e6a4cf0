// certificate: a key of its own for each run, so that none is kept anywhere.
#include "certificate.h"

#include "rt/private_key.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static struct private_key *held; // of the one server that there is at a time

static void add_names(X509 *x) {
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:mx.example.net,IP:192.0.2.1,IP:192.0.2.3");
    X509_add_ext(x, names, -1);
    X509_EXTENSION_free(names);
}

static X509 *self_signed(EVP_PKEY *key) {
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"mx", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    add_names(x);
    X509_sign(x, key, EVP_sha256());
    return x;
}

static struct slice text_of(BIO *bio) {
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    return slice_of(p, (size_t)n);
}

static bool sign(void *arg, const struct message_keys_sign *what, struct buf *out) {
    struct err e;
    return private_key_sign(held, what, out, &e);
}

static struct tls_server *make(struct slice chain, struct slice key) {
    struct err e;
    struct message_keys_certificate certificate = {.key = 1, .chain = chain};
    struct message_keys_set set = {.certificates = &certificate, .certificates_n = 1};
    struct tls_server *server = tls_server_new(&(struct tls_server_setup){.name = "dialogue", .sign = sign}, &e);
    held = private_key_read(key, &e);
    if (!held || !server || !tls_server_update(server, &set, &e))
        abort();
    return server;
}

struct tls_server *certificate_server(struct buf *trust) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = self_signed(key);
    BIO *pem = BIO_new(BIO_s_mem()), *pem_key = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(pem, x);
    PEM_write_bio_PrivateKey(pem_key, key, NULL, NULL, 0, NULL, NULL);
    struct tls_server *server = make(text_of(pem), text_of(pem_key));
    buf_add(trust, text_of(pem));
    BIO_free(pem);
    BIO_free(pem_key);
    X509_free(x);
    EVP_PKEY_free(key);
    return server;
}

void certificate_server_free(struct tls_server *s) {
    if (!s)
        return;
    tls_server_free(s);
    private_key_free(held);
}
