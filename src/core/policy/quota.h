// quota: how much a user may send. Messages and recipients are counted over the last hour, by minutes, and the last
// day, by hours; who is past a bound hears when there is room again. Pure: times are handed in.
#pragma once

#include "base/bounded.h"
#include "base/when.h"
#include "core/config/config.h"

enum { QUOTA_USERS = 100000, QUOTA_USER_MAX = 255, QUOTA_TEXT = 200 };

struct quota {
    struct bounded users;
};

void quota_init(struct quota *q, const struct hash_key *key);
void quota_done(struct quota *q);

struct quota_refusal {
    uint16_t smtp, enhanced[3];
    char text[QUOTA_TEXT]; // for people
};

// Whether one more message of that size (0: not known yet) to so many recipients is within `bounds`.
bool quota_allows(const struct quota *q, const struct config_quota *bounds, struct slice user, uint32_t recipients,
                  uint64_t size, struct wall now, struct quota_refusal *refusal);

void quota_count(struct quota *q, struct slice user, uint32_t recipients, struct wall now);

// "40 seconds", "12 minutes", "3 hours"; rounded up.
void quota_words(char to[32], int64_t ms);

// --- to be kept elsewhere under a key that begins with 'q'; as lockout.h

bool quota_next_change(struct quota *q, struct buf *key, struct buf *value);
void quota_change_all(struct quota *q);
bool quota_load(struct quota *q, struct slice key, struct slice value);
