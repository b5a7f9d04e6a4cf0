// arc_sets: the fields of an Authenticated Received Chain, put in order and looked at for what needs no key (RFC 8617
// 4.1, 5.2 steps 1 to 3).
#pragma once

#include "mail/arc/arc.h"
#include "mail/dkim/dkim_signature.h"

struct arc_set {
    struct slice results; // ARC-Authentication-Results: the field
    struct slice words;   // what follows its "i=N;", a view, folded
    struct dkim_signature message, seal;
    bool has_message, has_seal;
    struct slice
        lost; // why its message signature counts no more, as dkim_signature_accept() has it; only of older sets
};

struct arc_sets {
    struct arc_set *list; // instance 1 first; of what is broken, perhaps with gaps
    size_t n;             // highest instance there
    size_t room;
    unsigned highest; // instance of any field, ARC_SETS_MAX at most; more than n only of what is broken
};

// False: the arena is full. Where the chain doesn't hold, `e` is set and `*broken` true; without any field of ARC, n is
// 0.
bool arc_sets_read(struct slice header, struct wall now, struct arena *arena, struct arc_sets *out, bool *broken,
                   struct err *e);

// The instance of an ARC-Authentication-Results field's value, and what follows it; 0: it is none.
unsigned arc_results_instance(struct slice value, struct slice *words);

// What a seal of set n (1..) is over: the fields of sets from `first` to n, without its own one, in order, into
// `fields` (3 * n - 1 at most). Gives how many.
size_t arc_sets_sealed(const struct arc_sets *sets, size_t first, size_t n, struct slice *fields);
