// tls: TLS 1.2 and 1.3 over a transport, by OpenSSL.
#pragma once

#include "rt/transport.h"

struct tls_server; // certificate, key and what we offer
struct tls_client;

// From PEM: a certificate chain, leaf first, and its private key. NULL and `e` when they are no pair or no PEM.
struct tls_server *tls_server_new(struct slice certificate, struct slice key, struct err *e);
void tls_server_free(struct tls_server *s); // takes NULL

// For opportunistic use: the server's certificate isn't verified (RFC 7435).
struct tls_client *tls_client_new(struct err *e);
void tls_client_free(struct tls_client *c); // takes NULL

// A handshake. When it succeeds `*out` is the transport over `inner`, which it owns from then on. When it fails `inner`
// is still the caller's, and fit only to be closed.
FIBER_FN MUST_CHECK bool tls_accept(struct tls_server *s, struct transport *inner, struct mono deadline,
                                    struct transport **out, struct err *e);
// `name` goes into SNI when it is a host name; may be empty.
FIBER_FN MUST_CHECK bool tls_connect(struct tls_client *c, struct transport *inner, struct slice name,
                                     struct mono deadline, struct transport **out, struct err *e);

// "TLSv1.3", "TLS_AES_256_GCM_SHA384" of a transport from above.
const char *tls_version(struct transport *t);
const char *tls_cipher(struct transport *t);
