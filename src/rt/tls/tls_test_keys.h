// tls_test_keys: certificates and keys for tests of TLS, made on the spot, and a server whose signatures come late.
#pragma once

#include "rt/tls/private_key.h"
#include "rt/tls/tls.h"

enum tls_test_kind { TLS_TEST_RSA, TLS_TEST_EC, TLS_TEST_EC_384, TLS_TEST_ED25519 };

struct evp_pkey_st;
struct x509_st;

struct tls_test_key {
    struct private_key *key;
    struct buf chain, pem, ocsp;
    struct x509_st *certificate;
    struct evp_pkey_st *pair;
};

// Self-signed, for "a.example" or "a.example,b.example,IP:192.0.2.1"; `mail`: a subjectAltName of that address, or
// NULL.
void tls_test_key(struct tls_test_key *k, enum tls_test_kind kind, const char *names, const char *mail);
void tls_test_key_done(struct tls_test_key *k);

extern const struct tls_test_key *tls_test_signers[8]; // whose keys sign; set by the server's making
extern bool tls_test_refuses;                          // then no signature comes

// Each signature comes after others have run and after OpenSSL's queue of errors was used by others.
FIBER_FN bool tls_test_sign(void *arg, const struct message_keys_sign *what, struct buf *out);

struct tls_server *tls_test_server(const char *name, bool old_profile, const struct tls_test_key *keys, size_t n);

// A set of them all; `list` has room for n.
struct message_keys_set tls_test_set(const struct tls_test_key *keys, size_t n, struct message_keys_certificate *list);
