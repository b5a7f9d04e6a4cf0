// author: whose mail it says it is: the domain in From that DMARC is about (RFC 9989 5.3.1).
//
// Where two readers could find different authors there is none: no From or several, one that can't be read, members of
// different domains, several members without the Sender field that then must be there (RFC 5322 3.6.2).
#pragma once

#include "base/arena.h"
#include "base/err.h"

// `content` begins with a header section. `*domain` is in `arena`, lower case, in A-labels. False: there is none; `e`
// says why, for people.
MUST_CHECK bool author_domain(struct slice content, struct arena *arena, struct slice *domain, struct err *e);

// Whether the author is one thing to one reader and another to the next: several From fields, or addresses of several
// domains. Mail that may be trusted never has that (RFC 5322 3.6); who forges does, to get past DMARC.
bool author_is_several(struct slice content, struct arena *arena);
