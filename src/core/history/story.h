// story: records told to people: who came, what they wanted, what was said and why, what became of it. And which
// records somebody means who asks.
#pragma once

#include "core/history/record.h"

// What is asked about: an id of a message or a session, an address, "@domain" or a domain, a client or its network, a
// user's name.
struct story_wish {
    struct slice text;
    uint64_t queue_id;      // 0: it can't be one
    struct netaddr_net net; // family NETADDR_NONE: likewise
    bool has_net;
    bool null_sender; // "<>": notifications
};

void story_wish_parse(struct slice text, struct story_wish *out); // any text is one
bool story_matches(const struct story_wish *w, const struct record *r);

// Records with the same key belong together: a message and its deliveries, or what a session was refused. Bytes of no
// meaning, at most STORY_KEY.
enum { STORY_KEY = 264 };
void story_key(const struct record *r, struct buf *to);

// The order in which they happened: <0, 0, >0.
int story_order(const struct record *a, const struct record *b);

struct story_style {
    const char *plain, *good, *bad, *bold; // sequences of a terminal, or ""
    struct slice configuration;            // its name, for lines of it
    bool all;                              // the rules that did not apply, too
};

// Records of one key, in their order. Text of strangers is made safe. False: `to` is full.
bool story_tell(struct buf *to, const struct record *const *records, size_t n, const struct story_style *style);
