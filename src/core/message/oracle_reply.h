// oracle_reply: what the resolver says (core/message/message.h), as evaluators read it.
#pragma once

#include "core/message/message.h"
#include "mail/oracle/oracle.h"

// Copies it into `arena`. FAILED where that is full, or DNSSEC's signatures are wrong.
void oracle_reply(const struct message_resolve_reply *r, struct arena *arena, struct oracle_answer *out);
