// tls_context: versions, ciphers and groups: what we offer and take, as a server and as a client.
#include "rt/tls/tls_inside.h"

#include <openssl/err.h>
#include <openssl/pem.h>

// ECDHE only: forward secrecy, and a key that is asked to sign and never to decrypt.
#define CIPHERS                                                                                                        \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                         \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

// For machines that can't do better. Without forward secrecy there is still nothing: that would need a key that
// decrypts.
#define CIPHERS_OLD                                                                                                    \
    CIPHERS ":ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"          \
            "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-SHA:"                \
            "DHE-RSA-AES256-SHA"

#define GROUPS "X25519:P-256:P-384"

enum { LEVEL_MODERN = 2, LEVEL_OLD = 0 }; // OpenSSL's security levels; below 1 SHA-1 signs, as TLS 1.0 wants

SSL_CTX *tls_context_new(struct ossl_lib_ctx_st *library, const SSL_METHOD *method, bool old_profile) {
    SSL_CTX *ctx = SSL_CTX_new_ex(library, NULL, method);
    if (!ctx)
        return NULL;
    SSL_CTX_set_security_level(ctx, old_profile ? LEVEL_OLD : LEVEL_MODERN);
    SSL_CTX_set_min_proto_version(ctx, old_profile ? TLS1_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, old_profile ? CIPHERS_OLD : CIPHERS);
    SSL_CTX_set1_groups_list(ctx, GROUPS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

size_t tls_store_add(X509_STORE *store, struct slice pem) {
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    size_t n = 0;
    for (X509 *x; in && (x = PEM_read_bio_X509(in, NULL, NULL, NULL));) {
        n += X509_STORE_add_cert(store, x) == 1;
        X509_free(x);
    }
    BIO_free(in);
    ERR_clear_error(); // the end of the file is an error to PEM_read
    return n;
}
