// dkim_canon: canonical forms of header fields and bodies (RFC 6376 3.4), for who signs and who verifies.
//
// A line ends with CRLF. A CR or LF alone is a character like any other in a body; in a header field a LF alone ends a
// line, as mail/header/header.h has it.
#pragma once

#include "base/buf.h"
#include "base/digest.h"

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

// Adds a field (`whole`: from its name to its line end; RFC 6376 3.4.1, 3.4.2) without a line end.
bool dkim_canon_field(enum dkim_canon canon, struct slice whole, struct buf *out);

// A body that streams by, cut anywhere (RFC 6376 3.4.3, 3.4.4). Set `canon` and zero the rest, with the hash begun by
// dkim_body_begin, or with a sink of one's own.
struct dkim_body {
    enum dkim_canon canon;
    struct digest hash;
    void (*sink)(void *arg, struct slice bytes); // NULL: into the hash
    void *arg;
    uint64_t bytes; // of the canonical form so far
    // What was seen and has not been decided upon, in this order. An end of line at the end of the body may vanish.
    uint64_t line_ends;
    bool blank, cr;
};

void dkim_body_begin(struct dkim_body *b, enum dkim_canon canon); // with SHA-256
void dkim_body_add(struct dkim_body *b, struct slice piece);
void dkim_body_end(struct dkim_body *b, uint8_t hash[DIGEST_SHA256_SIZE]); // `hash` may be NULL with a sink
void dkim_body_done(struct dkim_body *b);                                  // frees; may be called twice
