// secret: passwords that a person gives, or that are made for one.
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { SECRET_MAX = 511 }; // bytes: what crypt(3) takes

// One password, of 1 to SECRET_MAX bytes of UTF-8 without controls, into `out`, which the caller wipes. From a
// terminal: asked for with `prompt`, unseen, `twice` where a mistake would lock somebody out; else a line of standard
// input.
MUST_CHECK bool secret_read(const char *prompt, bool twice, struct buf *out, struct err *e);

// A new one of 100 random bits: "k7fm2-x9cqh-r4t6v-w8nzb".
MUST_CHECK bool secret_make(struct buf *out, struct err *e);

// `n` random bytes.
MUST_CHECK bool secret_random(void *to, size_t n, struct err *e);

void secret_wipe(struct buf *b);
#define SECRET_AUTO __attribute__((cleanup(secret_wipe)))
