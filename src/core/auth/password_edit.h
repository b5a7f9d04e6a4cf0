// password_edit: a password file's text with a secret set or taken away. All other lines, comments and mistakes too,
// stay as they are.
#pragma once

#include "core/auth/password.h"

// Whether a record is of `user` (in its one form, see sasl_user) and, unless `name` is NULL, of that secret.
bool password_is_of(const struct password_record *r, struct slice user, const struct slice *name);

// `text` with `record`: in the place of the secret's own line, else behind its user's last one, else at the end. False
// when `out` is full.
bool password_edit_set(struct slice text, const struct password_record *record, struct buf *out);

// `text` without that secret, or without all of the user's where `name` is NULL; `*removed` lines of it are gone.
bool password_edit_remove(struct slice text, struct slice user, const struct slice *name, struct buf *out,
                          size_t *removed);
