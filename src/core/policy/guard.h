// guard: what an account usually sends, and what is far beyond it. When somebody has got hold of a password, the
// account's mail jumps; then it is taken and held until a person decides.
//
// Figures are counted by the hour: messages, recipients, failures (recipients that were refused, and failed log-ins
// from networks that are known for the account: those from elsewhere say nothing about its owner). The baseline is the
// busiest hour of the past, one for each figure. It fades by a 40th a day, to half in four weeks: what somebody does
// once a month is remembered, and one odd day doesn't excuse an account for ever. A day's busiest hour joins it when
// the day is over, so that a stolen account can't teach it from hour to hour; the hours of an account that is held
// never do.
//
//     learning   the account's first message is less than `learn` ago: nothing is held
//     normal     a figure > max(least, factor * baseline): holding
//     holding    until a person releases it, which puts the baseline up to what was seen, or blocks it
//     blocked    may neither log in nor send, until it is released
//
// Pure: times are handed in. Bounded: accounts that were not used for longest are forgotten, but for held and blocked
// ones.
#pragma once

#include "base/bounded.h"
#include "base/when.h"
#include "core/config/config.h"

enum guard_figure { GUARD_MESSAGES, GUARD_RECIPIENTS, GUARD_FAILURES, GUARD_FIGURES };
enum guard_state { GUARD_LEARNING, GUARD_NORMAL, GUARD_HOLDING, GUARD_BLOCKED };

enum { GUARD_USERS = 100000, GUARD_USER_MAX = 255, GUARD_WHY = 160 };

const char *guard_figure_name(enum guard_figure f); // "messages"

struct guard {
    const struct config_guard *config;
    struct bounded users;
    bool untold; // somebody may be to be told of
};

void guard_init(struct guard *g, const struct config_guard *c, const struct hash_key *key);
void guard_done(struct guard *g);

struct guard_verdict {
    enum guard_state state;
    bool began; // to be held, by this
    enum guard_figure figure;
    uint64_t value, bound;
    struct slice why; // HOLDING: until the next change
};

// Counts one message (recipients > 0) or failures alone, and decides.
struct guard_verdict guard_count(struct guard *g, struct slice user, uint32_t recipients, uint32_t failures,
                                 struct wall now);

bool guard_is_blocked(const struct guard *g, struct slice user);

// Whether there was anything to do.
bool guard_release(struct guard *g, struct slice user, struct wall now);
bool guard_block(struct guard *g, struct slice user, struct wall now); // any name

struct guard_line {
    struct slice user, why;
    enum guard_state state;
    uint32_t messages, recipients;             // in this hour
    uint32_t messages_bound, recipients_bound; // 0: it learns
    uint32_t held;                             // messages
};

// All of that state, or only `user`.
void guard_list(const struct guard *g, enum guard_state state, struct slice user, struct wall now,
                void (*each)(void *arg, const struct guard_line *line), void *arg);

uint32_t guard_held(const struct guard *g); // accounts that are holding

// An account whose holding nobody was told of, with its reason; false when there is none.
bool guard_next_untold(struct guard *g, struct slice *user, struct slice *why);
void guard_told(struct guard *g, struct slice user);

// --- to be kept elsewhere under a key that begins with 'g'; as lockout.h

bool guard_next_change(struct guard *g, struct buf *key, struct buf *value);
void guard_change_all(struct guard *g);
bool guard_load(struct guard *g, struct slice key, struct slice value);
