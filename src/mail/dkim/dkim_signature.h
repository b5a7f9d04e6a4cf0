// dkim_signature: the fields that carry a signature, read: DKIM-Signature (RFC 6376 3.5), and of ARC its message
// signature and its seal (RFC 8617 4.1.2, 4.1.3), which are made alike.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/when.h"
#include "mail/dkim/dkim_canon.h"

enum dkim_signature_kind { DKIM_SIGNATURE_MAIL, DKIM_SIGNATURE_ARC_MESSAGE, DKIM_SIGNATURE_ARC_SEAL };

enum {
    DKIM_SIGNATURE_NAMES = 200,         // names in h=
    DKIM_SIGNATURE_LATE_S = 300,        // after x= a signature still counts for so long: clocks differ
    DKIM_SIGNATURE_EARLY_S = 12 * 3600, // before t=, too: there are clocks that are right but for their zone
};

#define DKIM_SIGNATURE_ALL UINT64_MAX

struct dkim_signature {
    enum dkim_signature_kind kind;
    struct slice whole;     // the field, name to line end
    struct slice blank;     // of it: what stands after "b=" up to the next tag, which isn't there when it is hashed
    struct slice domain;    // d=, lower case, A-labels; in the arena, as are the next ones
    struct slice selector;  // s=, as well
    struct slice identity;  // i= without white space, or @domain
    struct slice algorithm; // a=
    struct slice signature; // b=
    struct slice signature_text; // b= in base64 without white space
    bool ed25519;                // else RSA
    bool same_domain;            // i= is of d= itself, not of a domain below; always so in ARC
    bool other_domain;           // i= is of neither
    bool has_t, has_x;
    enum dkim_canon header, body;
    uint64_t length;             // l=: bytes of the body; DKIM_SIGNATURE_ALL without
    struct slice version, query; // v=, q=, views
    struct slice names;          // h=, a view
    size_t names_n;
    uint8_t body_hash[DIGEST_SHA256_SIZE];
    int64_t made_s, expires_s; // t=, x=
    unsigned instance;         // ARC's i=: 1 and up
    struct slice chain;        // a seal's cv=, a view
};

// What can be read at all; `out` holds what was understood even when the rest was not. `e` is temporary only when the
// arena is full.
MUST_CHECK bool dkim_signature_read(enum dkim_signature_kind kind, struct slice whole, struct arena *arena,
                                    struct dkim_signature *out, struct err *e);

// Whether one that was read may be looked at further (RFC 6376 6.1.1): its version, its algorithm (RFC 8301 3.1), From
// among its fields, whose identity it claims, its time.
MUST_CHECK bool dkim_signature_accept(const struct dkim_signature *s, struct wall now, struct err *e);

// The next name of h=, without white space; false at the end. Empty ones are passed over.
bool dkim_signature_name(struct slice *names, struct slice *name);

// What is signed: the fields, empty ones passed over, then its own one with an empty b= and without line end (RFC 6376
// 3.7). False: out of memory.
bool dkim_signature_digest(const struct dkim_signature *s, const struct slice *fields, size_t n,
                           uint8_t digest[DIGEST_SHA256_SIZE]);

// The same for a field that is being made: `last` as it stands.
bool dkim_signature_hash(enum dkim_canon canon, const struct slice *fields, size_t n, struct slice last,
                         uint8_t digest[DIGEST_SHA256_SIZE]);

// Adds the field as it is hashed: with an empty b=.
bool dkim_signature_emptied(const struct dkim_signature *s, struct buf *out);
