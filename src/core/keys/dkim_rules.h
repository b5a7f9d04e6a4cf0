// dkim_rules: which keys sign a message, by the domain of its From.
#pragma once

#include "core/message/message_keys.h"

enum { DKIM_RULES_MAX = 4 }; // signatures of one message

// Puts the indices of the rules that sign for `from` (any case, without final dot) into `which`, at most
// DKIM_RULES_MAX, and gives their number. Only the most particular rules count: those for the domain itself, else those
// for the longest ".parent" above it, else those for "*". Of too many the aligned ones come first.
size_t dkim_rules_pick(const struct message_keys_dkim *rules, size_t n, struct slice from,
                       size_t which[DKIM_RULES_MAX]);

// Whether a signature by `signer` can speak for `from` to who asks for alignment (RFC 7489 3.1.1): they are the same,
// or one lies above the other. Who knows the public suffixes may be stricter.
bool dkim_rules_aligned(struct slice signer, struct slice from);
