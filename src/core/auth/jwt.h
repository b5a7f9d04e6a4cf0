// jwt: whether a JSON Web Token (RFC 7519) is what an issuer signed for us (RFC 7515), by the keys of a JWKS (RFC
// 7517); and what an introspection endpoint says of a token (RFC 7662). Bytes and the present time in, a user or a
// reason out.
//
// Algorithms: RS256, PS256, ES256 (RFC 7518), EdDSA with Ed25519 (RFC 8037). "none" and those with a shared secret are
// never taken, whatever a token's header says; a key is used only with the algorithm that it is for. RSA keys have 2048
// to 8192 bits.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/when.h"

enum {
    JWT_TOKEN_MAX = 16 * 1024,       // bytes
    JWT_KEYS_TEXT_MAX = 1024 * 1024, // bytes of a JWKS
    JWT_KEYS_MAX = 100,              // keys of it that are kept; more are refused
    JWT_LEEWAY_S = 60,               // how far clocks may differ
};

// The keys of a JWKS that can check signatures; others in it are passed over. NULL when it is no JWKS, or none is left.
struct jwt_keys *jwt_keys_parse(struct slice text, struct err *e);
void jwt_keys_free(struct jwt_keys *k);
size_t jwt_keys_count(const struct jwt_keys *k);

struct jwt_wanted {
    struct slice issuer, audience; // must be the token's; empty: any
    struct slice claim;            // what names the user
    struct wall now;
};

// Signature, exp and nbf (60 s of leeway; exp must be there), iss, aud (one or a list), and the claim, which must be a
// text; "email" only where "email_verified" isn't false. The user comes as the claim has it. Errors are permanent, and
// safe to log: none holds the token.
bool jwt_check(const struct jwt_keys *keys, struct slice token, const struct jwt_wanted *wanted, struct arena *arena,
               struct slice *user, struct err *e);

// The answer of an introspection endpoint: active must be true; exp, nbf, iss and aud as above, where they are there
// (iss and aud must be, when they are wanted). What is no such answer is a temporary error, a token that isn't active a
// permanent one.
bool jwt_introspection(struct slice answer, const struct jwt_wanted *wanted, struct arena *arena, struct slice *user,
                       struct err *e);
