// tls_test_keys: made by OpenSSL's own means.
#include "rt/tls/tls_test_keys.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

const struct tls_test_key *tls_test_signers[8];
bool tls_test_refuses;

static EVP_PKEY *make_pair(enum tls_test_kind kind) {
    return kind == TLS_TEST_RSA      ? EVP_RSA_gen(2048)
           : kind == TLS_TEST_EC     ? EVP_EC_gen("P-256")
           : kind == TLS_TEST_EC_384 ? EVP_EC_gen("P-384")
                                     : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void add_extension(X509 *x, int nid, const char *value) {
    X509V3_CTX ctx = {0};
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!extension)
        abort();
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
}

static void add_names(X509 *x, const char *names, const char *mail) {
    BUF_AUTO struct buf text = {.max = 1024};
    struct slice name, rest = slice_str(names);
    while (rest.n) {
        slice_cut(rest, ',', &name, &rest);
        buf_addf(&text, "%s%s%.*s", text.n ? "," : "", slice_starts(name, SLICE("IP:")) ? "" : "DNS:", SLICE_ARG(name));
    }
    if (mail)
        buf_addf(&text, "%semail:%s", text.n ? "," : "", mail);
    buf_add_char(&text, '\0');
    if (text.n > 1)
        add_extension(x, NID_subject_alt_name, text.p);
}

static X509 *self_signed(EVP_PKEY *key, const char *names, const char *mail) {
    X509 *x = X509_new();
    bool edwards = EVP_PKEY_is_a(key, "ED25519");
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"common", -1, -1,
                               0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    add_names(x, names, mail);
    if (X509_sign(x, key, edwards ? NULL : EVP_sha256()) <= 0)
        abort();
    return x;
}

static void take_text(BIO *bio, struct buf *out) {
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    buf_add(out, slice_of(p, (size_t)n));
    BIO_free(bio);
}

void tls_test_key(struct tls_test_key *k, enum tls_test_kind kind, const char *names, const char *mail) {
    BIO *chain = BIO_new(BIO_s_mem()), *pem = BIO_new(BIO_s_mem());
    struct err e;
    *k = (struct tls_test_key){.chain.max = 1 << 16, .pem.max = 1 << 16, .ocsp.max = 1 << 16};
    k->pair = make_pair(kind);
    k->certificate = self_signed(k->pair, names, mail);
    PEM_write_bio_X509(chain, k->certificate);
    PEM_write_bio_PrivateKey(pem, k->pair, NULL, NULL, 0, NULL, NULL);
    take_text(chain, &k->chain);
    take_text(pem, &k->pem);
    k->key = private_key_read(buf_slice(&k->pem), &e);
    if (!k->key)
        abort();
}

void tls_test_key_done(struct tls_test_key *k) {
    private_key_free(k->key);
    EVP_PKEY_free(k->pair);
    X509_free(k->certificate);
    buf_done(&k->chain);
    buf_done(&k->pem);
    buf_done(&k->ocsp);
}

FIBER_FN bool tls_test_sign(void *arg, const struct message_keys_sign *what, struct buf *out) {
    struct err e;
    (void)arg;
    for (int i = 0; i < 3; i++) {
        fiber_yield();
        ERR_raise(ERR_LIB_USER, 1); // as other handshakes of this thread leave it
    }
    for (size_t i = 0; i < 8 && !tls_test_refuses; i++)
        if (tls_test_signers[i] && private_key_number(tls_test_signers[i]->key, SLICE("tls")) == what->key)
            return private_key_sign(tls_test_signers[i]->key, what, out, &e);
    return false;
}

struct message_keys_set tls_test_set(const struct tls_test_key *keys, size_t n, struct message_keys_certificate *list) {
    static const char tickets[2 * MESSAGE_TICKET_KEY] = "first ticket's  key";
    for (size_t i = 0; i < n; i++) {
        list[i] = (struct message_keys_certificate){.key = private_key_number(keys[i].key, SLICE("tls")),
                                                    .chain = buf_slice(&keys[i].chain),
                                                    .ocsp = buf_slice(&keys[i].ocsp)};
        tls_test_signers[i] = &keys[i];
    }
    return (struct message_keys_set){
        .certificates = list, .certificates_n = n, .tickets = slice_of(tickets, sizeof tickets)};
}

struct tls_server *tls_test_server(const char *name, bool old_profile, const struct tls_test_key *keys, size_t n) {
    struct message_keys_certificate list[8];
    struct message_keys_set set = tls_test_set(keys, n, list);
    struct tls_server_setup setup = {
        .name = name, .old_profile = old_profile, .ticket_life = MS_HOUR, .sign = tls_test_sign};
    struct err e = {0};
    struct tls_server *s = tls_server_new(&setup, &e);
    if (!s || !tls_server_update(s, &set, &e)) {
        fprintf(stderr, "# %s\n", e.text);
        abort();
    }
    return s;
}
