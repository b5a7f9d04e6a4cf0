// lockout: what failed log-ins lead to. Failures are counted by account, by address (an IPv6 /64 is one) and by network
// (/24, /48); each one doubles the time until the next is told, and past a bound there is a lock that expires, and
// that doubles when it comes again.
//
// Nobody can be locked out by others: networks from which an account logged in within the last 30 days are known for
// it, and its own count and lock don't hold there. What address and network did holds everywhere. So whoever guesses
// at an account from outside locks it for outside, and whoever guesses from its owner's network locks that address.
//
// Tries that are under way count as failures until they are told of, but for those of an account from its known
// networks: else whoever asks a thousand times at once would have a thousand guesses before the first one counts.
//
//     TRY    locked?  -> "no", and the secret is not looked at
//     TRIED  failed   -> counted three times; a success makes the network known and forgives the address
//
// Pure: times are handed in. A wall clock that steps back prolongs no lock beyond its longest.
#pragma once

#include "base/bounded.h"
#include "base/when.h"
#include "core/config/config.h"

enum lockout_kind { LOCKOUT_ACCOUNT, LOCKOUT_ADDRESS, LOCKOUT_NETWORK, LOCKOUT_KINDS };

const char *lockout_kind_name(enum lockout_kind k); // "account"

enum {
    LOCKOUT_ENTRIES = 100000,    // of each kind; the oldest go first
    LOCKOUT_USER_MAX = 255,      // bytes of a name that count
    LOCKOUT_WHAT = 256,          // bytes of a key's text at most
    LOCKOUT_KNOWN_NETWORKS = 16, // of an account; the oldest go first
    LOCKOUT_KNOWN_DAYS = 30,
};

struct lockout {
    const struct config_lockout *config;
    struct bounded counters[LOCKOUT_KINDS];
    struct bounded known; // networks by account
};

void lockout_init(struct lockout *l, const struct config_lockout *c, const struct hash_key *key);
void lockout_done(struct lockout *l);

struct lockout_answer {
    bool locked;
    bool crowded; // locked only by tries that are under way: worth asking again when one has been told of
    enum lockout_kind by;
    int64_t delay_ms; // before a failure is told
};

// `user` in lower case; empty: not known. A trusted client's address and network are never locked.
struct lockout_answer lockout_try(struct lockout *l, const struct netaddr *client, bool trusted,
                                  struct slice user, struct wall now);

// A lock that has just begun.
struct lockout_lock {
    enum lockout_kind kind;
    struct slice what; // until the next change
    uint32_t failures;
    struct wall until;
};

// How it went. Gives how many locks began by it.
size_t lockout_tried(struct lockout *l, const struct netaddr *client, bool trusted, struct slice user, bool ok,
                     struct wall now, struct lockout_lock began[LOCKOUT_KINDS]);

// Whether the account has logged in from that client's network.
bool lockout_knows(const struct lockout *l, const struct netaddr *client, struct slice user, struct wall now);

struct lockout_line {
    enum lockout_kind kind;
    struct slice what;
    bool locked;
    uint32_t failures; // within the window; locked: those that led to it
    struct wall until; // locked
};

// Every counter that stands for something, or those of `what`: an account, an address or a network. Locked ones first.
void lockout_list(const struct lockout *l, struct slice what, struct wall now,
                  void (*each)(void *arg, const struct lockout_line *line), void *arg);

// Forgets failures and locks of `what`, or (empty) all. Gives how many there were. Known networks stay known.
uint32_t lockout_clear(struct lockout *l, struct slice what, struct wall now);

// Forgets some of what stands for nothing any more; to be called now and then.
void lockout_sweep(struct lockout *l, struct wall now);

uint32_t lockout_locked(const struct lockout *l, struct wall now); // how many locks hold

// --- to be kept elsewhere under a key that begins with 'a', 'i', 'n' or 'k'

// One change: *value is empty when it is to be forgotten. False: there is none. It counts as kept.
bool lockout_next_change(struct lockout *l, struct buf *key, struct buf *value);
void lockout_change_all(struct lockout *l);

// What was kept. False when it is malformed; then it is left out.
bool lockout_load(struct lockout *l, struct slice key, struct slice value);
