// dkim_bodies: the hashes of a body that several signatures want, of both canonical forms and of parts (l=), found in
// one pass: however many want one, each form is made and hashed once at most.
#pragma once

#include "base/arena.h"
#include "mail/dkim/dkim_canon.h"

struct dkim_wish {
    uint64_t length; // bytes of the canonical form; DKIM_SIGNATURE_ALL: all
    bool reached;    // the body is as long as that; after the end
    uint8_t hash[DIGEST_SHA256_SIZE];
};

struct dkim_form {
    struct dkim_body body;
    struct digest hash;
    struct dkim_wish *wishes; // shortest first from the begin on
    size_t n, next;
    uint64_t bytes; // hashed so far
};

// `wishes` is given room for `max` in each form by dkim_bodies_init. A place in memory of its own: it is pointed to.
struct dkim_bodies {
    struct dkim_form forms[2]; // by enum dkim_canon
    size_t max;
};

bool dkim_bodies_init(struct dkim_bodies *b, size_t max, struct arena *arena); // false: the arena is full
void dkim_bodies_want(struct dkim_bodies *b, enum dkim_canon canon, uint64_t length);
void dkim_bodies_begin(struct dkim_bodies *b);
void dkim_bodies_add(struct dkim_bodies *b, struct slice piece);
void dkim_bodies_end(struct dkim_bodies *b);
void dkim_bodies_done(struct dkim_bodies *b); // may be called twice, and on a zeroed one

// What was wanted, after the end; `*left`: bytes of the canonical form beyond the length.
const struct dkim_wish *dkim_bodies_get(const struct dkim_bodies *b, enum dkim_canon canon, uint64_t length,
                                        uint64_t *left);
