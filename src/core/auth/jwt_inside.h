// jwt_inside: what jwt.c and jwt_keys.c share.
#pragma once

#include "core/auth/jwt.h"

#include <jansson.h>

// base64url without padding (RFC 7515 2), strictly, behind what `out` holds.
bool jwt_base64url(struct slice text, struct buf *out);

// JSON from a stranger: an object without double members, nested at most 16 deep, so that its reader stays within a
// fiber's stack. NULL when it is no such; else the caller gives it back by json_decref.
json_t *jwt_json(struct slice text);

// A text member; empty where it isn't there, or is no text.
struct slice jwt_text(const json_t *object, const char *name);

// Whether one of the keys made `signature` of `text`, with algorithm `alg` ("RS256"); `kid` empty: any of them.
bool jwt_keys_verify(const struct jwt_keys *k, struct slice alg, struct slice kid, struct slice text,
                     struct slice signature, struct err *e);
