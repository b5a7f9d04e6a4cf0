// auth_users: a password file (core/auth/password.h) in memory, by user.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "core/auth/password.h"

struct auth_users;

// Takes the text, which is wiped at the end. `mistake` is told of each line that can't be used; the others can.
struct auth_users *auth_users_new(struct buf *text, struct hash_key key,
                                  void (*mistake)(void *arg, const struct err *e), void *arg);
void auth_users_free(struct auth_users *u); // takes NULL
size_t auth_users_count(const struct auth_users *u);

// One of a user's secrets.
struct auth_secret {
    struct slice name;         // empty: the main one
    struct password_hash hash; // for PLAIN where there are no SCRAM keys; PASSWORD_NONE: nothing fits
    bool has_scram[2];         // by enum digest_kind, SHA-1 and SHA-256
    struct password_scram scram[2];
};

// Copies into the arena, so that they outlive the file; at most SASL_SECRETS_MAX. False: no such user (lower case), or
// no memory, which is `n` 0 as well.
bool auth_users_find(const struct auth_users *u, struct slice user, struct arena *arena, struct auth_secret **out,
                     size_t *n);

// What most users have, so that those who don't exist can seem to have the same.
struct auth_usual {
    struct password_hash hash; // a view; PASSWORD_NONE in an empty file
    uint32_t iterations;       // SCRAM; 0: nobody has keys
    size_t salt_n;
    // From the first line: nobody outside knows it, it's the same in every process, and seldom changes.
    uint8_t secret[DIGEST_SHA256_SIZE];
};
const struct auth_usual *auth_users_usual(const struct auth_users *u);
