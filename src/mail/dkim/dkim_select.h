// dkim_select: which fields of a header section a signature's h= means (RFC 6376 5.4.2): of several with one name the
// lowest first, and none where there is none left. A signature never means itself (3.5), whatever it names.
//
// One walk over the header serves all signatures. What it remembers is bounded by what they name, whatever the header
// holds.
#pragma once

#include "base/arena.h"

struct dkim_selection {
    struct slice names;   // h=; as dkim_signature_name() cuts it
    size_t n;             // names in it
    const char *own;      // where its own field begins; NULL: it isn't in the header
    struct slice *fields; // out: n of them, name to line end; empty: there is none (left)
    bool more_from;       // out: there is a From field that is not among them
};

// False: the arena is full.
bool dkim_select(struct slice header, struct dkim_selection *list, size_t n, struct arena *arena);
