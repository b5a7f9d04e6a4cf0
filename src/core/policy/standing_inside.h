// standing_inside: what standing remembers; for its own sources.
#pragma once

#include "core/policy/standing.h"

struct standing_entry {
    struct bounded_entry entry;
    struct wall first, last;              // good message
    uint32_t good;                        // between them
    struct sliding points, unknown, fine; // fine: good messages
    uint16_t did[MESSAGE_SEEN_WHATS];     // that made the points
    uint32_t shuts;                       // in a row
    uint32_t led;                         // points that led to the last one
    struct wall until;                    // of the last one; 0: never
    struct wall noted;                    // good mail, to be kept; of this run only
    struct wall probed;                   // when that was noticed last; 0: never
};

struct standing_marked {
    struct bounded_entry entry;
    struct wall since;
    enum standing_mark mark;
};

static inline struct standing_entry *standing_entry_of(struct bounded_entry *e) {
    return (struct standing_entry *)(void *)e;
}

// standing.c
bool standing_is_known(const struct standing *s, const struct standing_entry *e, struct wall now);
bool standing_is_shut(const struct standing *s, const struct standing_entry *e, struct wall now);
void standing_why(const struct standing_entry *e, char to[STANDING_WHY]);

// standing_mark.c
enum standing_mark standing_mark_of_client(const struct standing *s, const struct netaddr *client);
enum standing_mark standing_mark_of(const struct standing *s, struct slice name);
