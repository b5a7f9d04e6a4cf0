// standing: what strangers have earned, and what they have lost.
//
// Misbehaviour is points. They count against the address (an IPv6 /64 is one), never against its network: nobody is
// shut out for a neighbour. Points within shutout.window:
//
//     half of shutout.points   its replies to errors wait, longer with each point
//     all of them              it is shut out, at first for shutout.time's first; each further time doubles that. One
//                              that is known is given KNOWN_FACTOR times as many
//
//     refused by policy or a filter  3        an unknown recipient     1
//     tried to relay                 5        an error of syntax, or of order  1
//     talked early                   3        a good message takes away        2
//
// Good mail makes known, an address and the domain that SPF or DKIM proved, each by itself: STANDING_GOOD messages, the
// first and the last of them STANDING_HOURS apart, and fewer points now than a quarter of what shuts out. Being shut
// out takes all of it away, and so do STANDING_DAYS without mail.
//
// Who names STANDING_PROBES recipients within the window that aren't there, and more than it had good messages, is
// noticed as probing, once a window: an address, or a network whose hosts share the work.
//
// A person may say otherwise: what is allowed is known and never shut out, what is blocked is shut out, until that is
// cleared. A mailbox or a domain, with what is below it, can be blocked as well: then it is mail in their name that
// isn't wanted, whoever brings it.
//
// Pure: times are handed in; a wall clock that steps back prolongs no shut-out beyond its longest.
#pragma once

#include "base/bounded.h"
#include "core/policy/client_name.h"
#include "core/message/message_gate.h"
#include "core/policy/sliding.h"

enum standing_kind { STANDING_ADDRESS, STANDING_NETWORK, STANDING_DOMAIN, STANDING_KINDS };

const char *standing_kind_name(enum standing_kind k); // "address"

enum {
    STANDING_ENTRIES = 100000, // of each kind; what was touched longest ago goes first
    STANDING_MARKS = 10000,    // that people made
    STANDING_DOMAIN_MAX = 255, // bytes of a name that count
    STANDING_GOOD = 10,
    STANDING_HOURS = 24,
    STANDING_DAYS = 60,
    STANDING_KNOWN_FACTOR = 4,
    STANDING_FORGIVES = 2,
    STANDING_PROBES = 10,
    STANDING_WHY = 200,
};

struct standing_entry;

enum standing_mark { STANDING_UNMARKED, STANDING_BLOCKED, STANDING_ALLOWED };

struct standing {
    const struct config_shutout *config;
    struct bounded by[STANDING_KINDS];
    struct bounded marks;     // by address, network, domain or mailbox
    size_t blocked_names;     // domains and mailboxes among them
    uint16_t lengths[2][129]; // how many marked networks of that many bits there are, of IPv4 and of IPv6
};

void standing_init(struct standing *s, const struct config_shutout *c, const struct hash_key *key);
void standing_done(struct standing *s);

struct standing_client {
    bool known, shut_out;
    bool blocked; // shut_out by a person: `until_ms` is a day, and means nothing
    int64_t until_ms, tarpit_ms;
};
struct standing_client standing_of_client(const struct standing *s, const struct netaddr *client, struct wall now);

// Lower case; empty is not known.
bool standing_knows_domain(const struct standing *s, struct slice domain, struct wall now);

// Whether a person blocked that mailbox, its domain or one above; of several words the narrowest counts. Lower case,
// A-labels.
bool standing_blocks_sender(const struct standing *s, struct slice mailbox);

// What has just begun.
struct standing_news {
    bool shut_out;
    struct slice what; // address; until the next change
    uint32_t points;
    struct wall until;
    char why[STANDING_WHY]; // "12 unknown recipients, 3 refused"
    bool probing;
    enum standing_kind prober_kind;
    struct slice prober; // address or network; until the next change
    uint32_t unknown;
};

// `domain`: lower case, proven, or empty. MESSAGE_SEEN_WROTE is none of our business.
void standing_seen(struct standing *s, enum message_seen_what what, const struct netaddr *client, struct slice domain,
                   struct wall now, struct standing_news *news);

struct standing_line {
    enum standing_kind kind;
    enum standing_mark mark;
    struct slice what;
    bool known, shut_out;
    uint32_t points;
    uint32_t good;                   // messages so far
    struct wall until;               // shut out
    struct wall since;               // of the first good message, 0 without; of a mark: when it was made
    const struct standing_entry *of; // for standing_line_why
};

// What the points were for; "" without any. In words only when somebody wants them: lists are long.
void standing_line_why(const struct standing_line *line, char to[STANDING_WHY]);

// Marks, who is shut out, who has points, who is known, others; or those of `what`.
void standing_list(const struct standing *s, struct slice what, struct wall now,
                   void (*each)(void *arg, const struct standing_line *line), void *arg);

// Forgets what `what` is remembered by, marks too, or (empty) points and shut-outs of all. Gives how many there were.
uint32_t standing_clear(struct standing *s, struct slice what, struct wall now);

// `what`: an address, a network, a domain ("@" or "." before it are nothing) or (BLOCKED) a mailbox. False: it is none,
// or there are too many.
bool standing_set_mark(struct standing *s, struct slice what, enum standing_mark mark, struct wall now);

void standing_sweep(struct standing *s, struct wall now); // forgets some of what stands for nothing any more

uint32_t standing_shut_out(const struct standing *s, struct wall now); // how many are

// --- to be kept elsewhere under a key that begins with 'c', 'e', 'd' or 'm'; as lockout.h

bool standing_next_change(struct standing *s, struct buf *key, struct buf *value);
void standing_change_all(struct standing *s);
bool standing_load(struct standing *s, struct slice key, struct slice value);
