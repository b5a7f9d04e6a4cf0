// control_ask: a request of the control socket as a value. The only source here that knows jansson, whose names are
// partly those of base/json.h.
#pragma once

#include "base/err.h"

#include <stdint.h>

enum control_what {
    CONTROL_STATUS,
    CONTROL_METRICS,
    CONTROL_QUEUE_LIST,
    CONTROL_QUEUE_SHOW,
    CONTROL_QUEUE_RETRY,
    CONTROL_QUEUE_DELETE,
    CONTROL_LOCKOUT_LIST,
    CONTROL_LOCKOUT_CLEAR,
    CONTROL_GUARD_LIST,
    CONTROL_GUARD_RELEASE,
    CONTROL_GUARD_BLOCK,
    CONTROL_USER_USES,
    CONTROL_SENDER_LIST,
    CONTROL_SENDER_CLEAR,
    CONTROL_SENDER_BLOCK,
    CONTROL_SENDER_ALLOW,
    CONTROL_STOP,
    CONTROL_RELOAD,
    CONTROL_WHAT_COUNT
};

struct control_ask {
    enum control_what what;
    uint64_t id;      // SHOW, RETRY, DELETE: this message; 0 where none is named
    char domain[256]; // RETRY, DELETE: this domain's recipients; "" for any
    char about[512];  // LOCKOUT, GUARD, USES, SENDER: an account, address, network or domain; "" for all
    bool remove;      // GUARD_BLOCK: with the mail that is held
};

// One line without its end. What the request needs is there: SHOW has an id; RETRY and DELETE exactly one of an id, a
// domain, and all; LOCKOUT_CLEAR and SENDER_CLEAR one of what and all; GUARD_RELEASE and GUARD_BLOCK a user,
// SENDER_BLOCK and SENDER_ALLOW what they are about. Errors are for the person who asked.
MUST_CHECK bool control_ask_parse(struct slice line, struct control_ask *out, struct err *e);

// Takes a seed, since jansson would open a file for one.
void control_ask_init(uint64_t seed);
