// scram: RFC 5802 3, by its own names.
#include "wire/scram.h"

static struct slice key_of(enum digest_kind kind, const uint8_t *key) { return slice_of(key, digest_size(kind)); }

static void client_key(enum digest_kind kind, struct slice salted, uint8_t out[SCRAM_KEY_MAX]) {
    digest_hmac(kind, salted, SLICE("Client Key"), out);
}

static void salted_password(enum digest_kind kind, struct slice password, struct slice salt, uint32_t iterations,
                            uint8_t out[SCRAM_KEY_MAX]) {
    digest_pbkdf2(kind, password, salt, iterations, out, digest_size(kind));
}

void scram_keys_of(enum digest_kind kind, struct slice password, struct slice salt, uint32_t iterations,
                   struct scram_keys *out) {
    uint8_t salted[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX];
    memset(out, 0, sizeof *out);
    salted_password(kind, password, salt, iterations, salted);
    client_key(kind, key_of(kind, salted), client);
    digest_of(kind, key_of(kind, client), out->stored);
    digest_hmac(kind, key_of(kind, salted), SLICE("Server Key"), out->server);
    explicit_bzero(salted, sizeof salted);
    explicit_bzero(client, sizeof client);
}

bool scram_proof_fits(enum digest_kind kind, const struct scram_keys *keys, struct slice auth_message,
                      struct slice proof) {
    uint8_t signature[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
    if (proof.n != digest_size(kind))
        return false;
    digest_hmac(kind, key_of(kind, keys->stored), auth_message, signature);
    for (size_t i = 0; i < proof.n; i++)
        signature[i] ^= (uint8_t)proof.p[i]; // ClientKey, if the proof is good
    digest_of(kind, key_of(kind, signature), stored);
    explicit_bzero(signature, sizeof signature);
    return digest_equal(key_of(kind, stored), key_of(kind, keys->stored));
}

void scram_server_signature(enum digest_kind kind, const struct scram_keys *keys, struct slice auth_message,
                            uint8_t *out) {
    digest_hmac(kind, key_of(kind, keys->server), auth_message, out);
}

void scram_proof(enum digest_kind kind, struct slice password, struct slice salt, uint32_t iterations,
                 struct slice auth_message, uint8_t *out) {
    uint8_t salted[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
    salted_password(kind, password, salt, iterations, salted);
    client_key(kind, key_of(kind, salted), client);
    digest_of(kind, key_of(kind, client), stored);
    digest_hmac(kind, key_of(kind, stored), auth_message, out);
    for (size_t i = 0; i < digest_size(kind); i++)
        out[i] ^= client[i];
    explicit_bzero(salted, sizeof salted);
    explicit_bzero(client, sizeof client);
}
