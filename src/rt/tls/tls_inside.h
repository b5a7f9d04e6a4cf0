// tls_inside: what the sources of tls.h share.
#pragma once

#include "rt/tls/tls.h"

#include <openssl/ssl.h>

// The engine over our transport, with `server` as its app data (NULL for a client); takes `ssl`, which may be NULL: an
// error.
struct transport *tls_transport_new(SSL *ssl, struct transport *inner, struct err *e);
SSL *tls_transport_ssl(struct transport *t);

// A new engine with what counts now; waits for it. NULL and `e`.
FIBER_FN SSL *tls_server_engine(struct tls_server *s, struct mono deadline, struct err *e);
// For a host of that name, verified or not. NULL and `e`.
SSL *tls_client_engine(struct tls_client *c, struct slice name, bool verified, struct err *e);

// "what: why" from OpenSSL's errors, which are cleared.
bool tls_fail(struct err *e, const char *what);

// What server and client have in common.
SSL_CTX *tls_context_new(struct ossl_lib_ctx_st *library, const SSL_METHOD *method, bool old_profile);

// Certificates of PEM, all of them; 0 when there is none.
size_t tls_store_add(X509_STORE *store, struct slice pem);
