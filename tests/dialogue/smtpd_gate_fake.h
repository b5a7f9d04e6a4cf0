// smtpd_gate_fake: what a session may ask about strangers, for tests: DNS from a zone (mail/oracle/oracle_zone.h), and a
// policy that says what it is told to and remembers what it hears.
#pragma once

#include "core/message/message_gate.h"
#include "mail/oracle/oracle_zone.h"
#include "rt/fiber/fiber.h"
#include "rt/fiber/loop.h"

struct fake_gate {
    struct oracle_zone *zone;
    int64_t dns_ms;               // that DNS takes
    unsigned questions;           // that it was asked
    bool away;                    // policy doesn't answer
    struct slice shut_out, crowd; // why
    bool known, proven;
    int64_t tarpit_ms;
    struct slice rates[CONFIG_RATE_WHATS]; // why there is no more; empty: there is
    struct slice table;                    // values that every table has, with spaces between
    struct buf seen;                       // "early good ..."
    struct buf recorded;                   // "content refused 550 ..."
};

void fake_gate_init(struct fake_gate *g);
void fake_gate_done(struct fake_gate *g);

FIBER_FN void fake_gate_ask(struct fake_gate *g, const struct oracle_question *questions, size_t n,
                            struct mono deadline, struct arena *arena, struct oracle_answer *answers);
bool fake_gate_client(struct fake_gate *g, struct message_client_reply *out);
bool fake_gate_tally(struct fake_gate *g, const struct message_tally *m, struct message_tally_reply *out);
bool fake_gate_greylist(struct fake_gate *g, const struct message_greylist *m, struct message_greylist_reply *out);
bool fake_gate_match(struct fake_gate *g, struct slice value, bool *out);
void fake_gate_seen(struct fake_gate *g, const struct message_seen *m);
void fake_gate_record(struct fake_gate *g, const struct record *r);
