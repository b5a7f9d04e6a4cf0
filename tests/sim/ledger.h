// ledger: what the simulated world saw of each message: sent, acknowledged, arrived, bounced; and the verdict on it.
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { LEDGER_MESSAGES = 400, LEDGER_RECIPIENTS = 6, LEDGER_TOKEN = 24 };

struct ledger_recipient {
    const char *address;
    bool acknowledged; // RCPT and the content got 250 in one transaction
    unsigned arrived;  // copies in a mailbox or at a foreign server
    unsigned bounced;  // notifications that name it
};

struct ledger_message {
    char token[LEDGER_TOKEN];
    const char *sender; // "" is the null reverse-path
    struct ledger_recipient recipients[LEDGER_RECIPIENTS];
    size_t recipients_n;
    bool refused;     // the content got a 4xx or 5xx while every process lived: it must never arrive
    unsigned unheard; // a foreign server took it and could not tell
};

struct ledger {
    struct ledger_message messages[LEDGER_MESSAGES];
    size_t n;
    unsigned falls; // processes killed and power lost: each may make an acknowledgement get lost inside a house
    uint64_t cuts;  // connections that broke on the way; between two houses nobody else sees what got lost
    unsigned acknowledged;
    unsigned early; // 250 for something that was not durable
    char first_early[LEDGER_TOKEN];
    unsigned strays; // arrivals at an address that was no recipient
    char first_stray[LEDGER_TOKEN];
};

// A new message with a token of its own; NULL when the ledger is full.
struct ledger_message *ledger_new(struct ledger *l, uint64_t seed, const char *sender);
struct ledger_recipient *ledger_add(struct ledger_message *m, const char *address);

// Content that arrived for `address`: a message of ours, or a notification about some.
void ledger_arrived(struct ledger *l, const char *address, struct slice content);

// Whether every acknowledged recipient arrived or bounced, nothing arrived twice without a reason, and nothing that was
// refused arrived at all. Mistakes are
// written to `report`, a line each.
bool ledger_verdict(const struct ledger *l, struct buf *report);
