// tls_keys: private keys of OpenSSL's that aren't here: a provider whose keys know their public half and a number, and
// whose signing is a call to whoever has the other half. The call may suspend its fiber: OpenSSL holds no lock there,
// and its thread's queue of errors, which other fibers use meanwhile, is left empty.
#pragma once

#include "rt/tls/tls.h"

struct evp_pkey_st;
struct ossl_lib_ctx_st;
struct tls_keys;

// A library context with this provider in it, so that nothing else of the process meets it.
struct tls_keys *tls_keys_new(FIBER_FN bool (*sign)(void *arg, const struct message_keys_sign *what, struct buf *out),
                              void *arg, struct err *e);
void tls_keys_free(struct tls_keys *k); // its keys are freed; takes NULL

struct ossl_lib_ctx_st *tls_keys_context(struct tls_keys *k);

// The key behind a certificate's public key (RSA, EC, Ed25519). NULL when it is of no such kind.
struct evp_pkey_st *tls_keys_make(struct tls_keys *k, struct evp_pkey_st *public_key, uint32_t number);
