// greylist: who has shown that it comes back. A stranger's first try is told to come again; real servers do, after a
// wait, and what they proved by it is remembered.
//
// Whom SPF or DKIM proves is known by its domain, from wherever it sends. Others are known by the client's network
// (/24, IPv6 /48: pools of senders retry from their neighbours) together with the domain of the sender; what was proven
// so holds for a domain that is proven later, too.
//
//     first sight of (who, recipient)           wait, `wait` ms are left
//     again before `wait` is over               wait, what is left
//     again within `window` of the first sight  came back: `who` passes, for all recipients, `keep` ms from the last
//     use later than that                           first sight again
//
// Those we wrote to pass at once: an address as it is claimed, its whole domain only where it is proven, since
// addresses are easily claimed. Being asked about who passes is a use; it is noted once an hour at most, so that a busy
// sender costs no writes.
//
// Pure: times are handed in. Bounded: what was touched longest ago goes first; a flood of first sights makes first
// sights forgotten, not who passes.
#pragma once

#include "base/bounded.h"
#include "core/policy/client_name.h"
#include "core/config/config_gate.h"
#include "core/message/message_gate.h"

enum greylist_kind { GREYLIST_WAITING, GREYLIST_PROVEN, GREYLIST_ADDRESS, GREYLIST_DOMAIN, GREYLIST_KINDS };

enum {
    GREYLIST_ENTRIES = 200000, // of each kind
    GREYLIST_NAME_MAX = 200,   // bytes of a domain or a recipient that count
};

struct greylist {
    const struct config_greylist *config;
    struct bounded by[GREYLIST_KINDS];
};

void greylist_init(struct greylist *g, const struct config_greylist *c, const struct hash_key *key);
void greylist_done(struct greylist *g);

// Never gives MESSAGE_PROVEN_KNOWN. only_ask: nothing begins to wait, nobody comes back.
struct message_greylist_reply greylist_ask(struct greylist *g, const struct message_greylist *m, struct wall now);

void greylist_wrote(struct greylist *g, struct slice address, struct wall now); // lower case

struct greylist_line {
    enum greylist_kind kind;
    struct slice who;       // domain, network or address
    struct slice sender;    // domain of the sender; empty where `who` is proven, and for the null sender
    struct slice recipient; // WAITING
    struct wall since;      // WAITING: first sight; else the last use
    struct wall until;      // WAITING: from then on it passes; else when it is forgotten
};

// All, or where `what` is who, the sender's domain or the recipient; an address stands for its network too.
void greylist_list(const struct greylist *g, struct slice what, struct wall now,
                   void (*each)(void *arg, const struct greylist_line *line), void *arg);

// Forgets those; (empty) all that wait. Gives how many.
uint32_t greylist_clear(struct greylist *g, struct slice what);

void greylist_sweep(struct greylist *g, struct wall now); // forgets some of what is over

// --- to be kept elsewhere under a key that begins with 'w', 'p', 't' or 'u'; as lockout.h

bool greylist_next_change(struct greylist *g, struct buf *key, struct buf *value);
void greylist_change_all(struct greylist *g);
bool greylist_load(struct greylist *g, struct slice key, struct slice value);
