// sender: who may send as whom: the addresses that belong to a user. Pure: who calls it has read the tables.
#pragma once

#include "core/route/recipient.h"

// Whether `user` (lower case, as it authenticated) may send as `address` (local@domain, normalised: a domain in lower
// case and A-labels). It may when
//
//   - `account USER { senders any }` says so;
//   - the address is the user's name; or, where the name has no domain, that name in a domain of ours;
//   - the address is in a domain of ours, and mail to it reaches that user: an alias, or the name with a tag;
//   - the table `senders` says so: for the user's name as it is written there, or for "*", which is everybody.
//
// A table's targets are an address, a name (in any domain of ours), @domain, @.domain for all below it, or a pattern of
// a whole address in which * stands for anything. Case doesn't count.
//
// `tables` goes with config.tables, as in recipient_expand; that of `senders` is from recipient_table_parse_senders.
// Errors are temporary: a table that is missing, or an alias that can't be followed; never when the answer is yes
// without it.
MUST_CHECK bool sender_may(const struct config *c, struct recipient_table *const *tables, struct slice user,
                           struct slice address, struct arena *arena, bool *out, struct err *e);

// Whether `table` is what config.senders names: then it is to be parsed by recipient_table_parse_senders.
bool sender_is_table(const struct config *c, const struct config_table *table);
