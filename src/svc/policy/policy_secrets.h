// policy_secrets: when each secret of a user was last used: "phone" of ann at noon.
#pragma once

#include "base/bounded.h"
#include "base/when.h"

enum { POLICY_SECRETS = 100000, POLICY_SECRET_USER_MAX = 255, POLICY_SECRET_NAME_MAX = 200 };

struct policy_secrets {
    struct bounded uses; // by user, NUL, name of the secret
};

void policy_secrets_init(struct policy_secrets *s, const struct hash_key *key);
void policy_secrets_done(struct policy_secrets *s);

void policy_secrets_used(struct policy_secrets *s, struct slice user, struct slice secret, struct wall now);

// All, or those of `user`; a `secret` that is empty is the main one.
void policy_secrets_list(const struct policy_secrets *s, struct slice user,
                         void (*each)(void *arg, struct slice user, struct slice secret, struct wall used), void *arg);

// To be kept under a key that begins with 's'; as core/policy/lockout.h.
bool policy_secrets_next_change(struct policy_secrets *s, struct buf *key, struct buf *value);
bool policy_secrets_load(struct policy_secrets *s, struct slice key, struct slice value);
