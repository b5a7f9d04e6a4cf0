// arc_seal: adding a set to an Authenticated Received Chain (RFC 8617 5.1), but for the signatures themselves, which
// whoever holds the key makes (as in mail/dkim/dkim_sign.h):
//
//     arc_seal_begin(&s, &by, &before, header, results, when, canon, body_hash, arena, &e);
//     ... signs s.digest ...
//     arc_seal_message(&s, signature);
//     ... signs s.digest, which is another one now ...
//     arc_seal_finish(&s, signature, &front);
//
// A chain that was found broken is sealed as such, over the new set alone (5.1.2); one that says so itself, or has no
// room, takes no further set. Where DNS gave no answer nothing is added: cv=fail would be for good.
#pragma once

#include "base/err.h"
#include "mail/arc/arc.h"
#include "mail/arc/arc_sets.h"

struct arc_seal_by {
    struct slice domain, selector;
    bool ed25519;       // else rsa-sha256
    struct slice names; // h=; empty: what DKIM would sign, and the DKIM-Signatures
    size_t width;       // lines are folded at; 0: 76
};

struct arc_seal {
    uint8_t digest[DIGEST_SHA256_SIZE]; // is to be signed next
    struct arc_seal_by by;
    struct wall when;
    unsigned instance;
    const char *chain;                 // cv=
    struct arc_sets before;            // none where they aren't sealed
    struct buf results, message, seal; // fields, the last two without b=
    size_t message_at, seal_at;        // where its value goes
};

// `header`: as it came; `results`: "authserv-id; method=result ..." on one line, which may be long. All must stay until
// the end, as the arena must. Permanent: no further set can ever be added.
MUST_CHECK bool arc_seal_begin(struct arc_seal *s, const struct arc_seal_by *by, const struct arc_verdict *before,
                               struct slice header, struct slice results, struct wall when, enum dkim_canon body,
                               const uint8_t body_hash[DIGEST_SHA256_SIZE], struct arena *arena, struct err *e);

bool arc_seal_message(struct arc_seal *s, struct slice signature, struct arena *arena);

// Adds the set to `out`: seal, message signature, results. False: something is full.
bool arc_seal_finish(struct arc_seal *s, struct slice signature, struct buf *out);

void arc_seal_done(struct arc_seal *s); // may be called twice, and on a zeroed one

// Bytes that the set has at most after begin, with signatures of so many.
size_t arc_seal_room(const struct arc_seal *s, size_t signature);
