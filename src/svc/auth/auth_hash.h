// auth_hash: checks passwords against what a file has, one hashing at a time, in the turns of auth_turns. Hashing
// blocks the process for up to some tens of milliseconds; between two of them everything else goes on.
#pragma once

#include "svc/auth/auth_backend.h"
#include "svc/auth/auth_users.h"

// Which of the secrets q->secret is: `*which`, or `n` for none. Where several have SCRAM keys of one salt, one
// derivation does for all of them. False: `e` (too many wait; stopped).
FIBER_FN MUST_CHECK bool auth_hash_check(struct auth_means *m, const struct auth_question *q,
                                         const struct auth_secret *secrets, size_t n, size_t *which, struct err *e);

// As long as a check against `like` takes; `like` may change or go meanwhile.
FIBER_FN void auth_hash_waste(struct auth_means *m, const struct auth_question *q, const struct password_hash *like,
                              struct err *e);

bool auth_hash_same_salt(const struct password_scram *a, const struct password_scram *b);
