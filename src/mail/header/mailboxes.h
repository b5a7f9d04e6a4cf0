// mailboxes: the addresses of a From, Sender or To field (RFC 5322 3.4 with the obsolete forms of 4.4, RFC 6532, groups
// as RFC 6854 lets From have them).
//
// Whoever reads the field must see the same addresses as we do, since what a user may send as is decided by them. So
// names may be sloppier than the grammar (dots, brackets, bytes over 127), but where another reader could find another
// address it is refused: an unquoted @ in a name, for one, unless the name is the very address that follows it.
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum { MAILBOXES_MAX = 1000 }; // of one field

struct mailboxes {
    struct slice *list; // local@domain, as address_normalize makes it; in the arena
    size_t n;
};

// `value` as it stands in the field, folded or not. False: 550 5.6.0 and what is wrong, for people; nothing is found in
// an empty value or in a group without members, which is no error here.
MUST_CHECK bool mailboxes_parse(struct slice value, struct arena *arena, struct mailboxes *out, struct err *e);
