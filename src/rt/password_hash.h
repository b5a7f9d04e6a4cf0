// password_hash: makes and checks hashes of passwords, by crypt(3) and argon2. Blocks for tens of milliseconds, that's
// the point of them; memory is taken from the heap, not the stack (a kilobyte or two of it).
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "core/auth/password.h"

// Whether it is that password's hash. PASSWORD_NONE never is; SCRAM keys can be checked too. A hash that can't be
// computed (an unknown scheme, no memory) doesn't fit.
bool password_hash_fits(const struct password_hash *hash, struct slice password);

// The same by the hash's text alone.
bool password_hash_verify(struct slice hash, struct slice password);

// A yescrypt hash of libcrypt's own preferred cost, with a new salt, behind what `out` holds.
MUST_CHECK bool password_hash_make(struct slice password, struct buf *out, struct err *e);

// As long as checking `like` takes, and never fitting: for users who don't exist. NULL or PASSWORD_NONE: as a hash of
// password_hash_make.
void password_hash_waste(const struct password_hash *like, struct slice password);
