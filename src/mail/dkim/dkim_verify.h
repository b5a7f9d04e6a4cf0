// dkim_verify: whether the DKIM signatures of a message hold (RFC 6376 6, RFC 8301, RFC 8463), in one pass while the
// content streams by:
//
//     dkim_verify_begin(v, header, now, arena);      reads the signatures: which hashes of the body are wanted
//     dkim_verify_body(v, piece); ...                cut anywhere
//     dkim_verify_end(v, oracle, arena);             asks for keys, all at once, and decides
//
// rsa-sha1 is no signature any more, nor is an RSA key under 1024 bits (RFC 8301): PERMERROR each. One with a `l=` that
// leaves a part of the body unsigned holds: PASS. But anything can be appended to it (RFC 6376 8.2), so who relies on the
// whole message asks dkim_verdict_relied().
#pragma once

#include "base/err.h"
#include "base/when.h"
#include "mail/dkim/dkim_canon.h"
#include "mail/oracle/oracle.h"

enum {
    DKIM_VERIFY_SIGNATURES = 8, // looked at, from the top; more are counted only
    DKIM_VERIFY_FIELDS = 200,   // names in h=; more is PERMERROR
    DKIM_VERIFY_RSA_MIN = 1024,
    DKIM_VERIFY_RSA_MAX = 8192,
};

enum dkim_result { DKIM_NONE, DKIM_PASS, DKIM_FAIL, DKIM_POLICY, DKIM_NEUTRAL, DKIM_TEMPERROR, DKIM_PERMERROR };

const char *dkim_result_name(enum dkim_result r); // "pass"

struct dkim_verdict { // of one signature; slices in the arena; what could not be read is empty
    enum dkim_result result;
    struct slice domain;    // d=, lower case, A-labels
    struct slice selector;  // s=
    struct slice identity;  // i=, or @domain
    struct slice algorithm; // a=
    struct slice signature; // the first characters of b=, enough to tell signatures apart (RFC 6008): 8, more where two
                            // begin alike
    struct slice why;       // anything but a PASS to be relied on: for people
    uint64_t unsigned_n;    // bytes at the end of the body that it doesn't speak of (l=), where it is a PASS
    unsigned bits;          // of the key
    bool testing;           // the key says t=y
};

struct dkim_verify {
    struct dkim_verdict *list; // the signatures in the header's order; results are NONE until the end
    size_t n;
    size_t ignored; // further signatures
    bool ended;
    struct dkim_verify_inside *inside;
};

// `header`: the header section as it came, without any field of ours; must stay until the end. False: out of memory.
bool dkim_verify_begin(struct dkim_verify *v, struct slice header, struct wall now, struct arena *arena);
void dkim_verify_body(struct dkim_verify *v, struct slice piece);
void dkim_verify_end(struct dkim_verify *v, struct oracle *o, struct arena *arena);
void dkim_verify_done(struct dkim_verify *v); // frees what isn't in the arena; may be called twice, and on a zeroed one

// What it is worth to who relies on the whole message: as it is, but POLICY (RFC 8601 2.7.1) where it leaves some
// unsigned.
enum dkim_result dkim_verdict_relied(const struct dkim_verdict *s);

// The best of them: PASS where there is one; NONE where there is no signature. And the best to be relied on.
enum dkim_result dkim_verify_best(const struct dkim_verify *v);
enum dkim_result dkim_verify_best_relied(const struct dkim_verify *v);

// Whether a DKIM-Signature field's value is well-formed (RFC 6376 3.5); `e` says what is wrong. For people who look at
// one.
MUST_CHECK bool dkim_signature_check(struct slice value, struct err *e);
