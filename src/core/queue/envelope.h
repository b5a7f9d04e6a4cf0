// envelope: what the queue keeps beside the content: whom a message is from, whom it is for, how it came. Values that
// were parsed elsewhere; the queue never parses them again.
#pragma once

#include "base/arena.h"
#include "base/pack.h"
#include "base/when.h"
#include "wire/netaddr.h"

enum envelope_flags {
    ENVELOPE_8BIT = 1 << 0,     // BODY=8BITMIME (RFC 6152) or BINARYMIME never; content may hold bytes over 127
    ENVELOPE_SMTPUTF8 = 1 << 1, // SMTPUTF8 (RFC 6531)
    ENVELOPE_NOTICE = 1 << 2,   // one of our own notifications; never answered by another
    ENVELOPE_REQUIRETLS = 1 << 3, // REQUIRETLS (RFC 8689): only over verified TLS to hosts that offer it, else it bounces
    ENVELOPE_TLS_OPTIONAL = 1 << 4, // "TLS-Required: No" in the header (RFC 8689 5): deliver even where TLS fails
    ENVELOPE_HOLD = 1 << 5,     // taken, but kept until the administrator releases it
    ENVELOPE_USER = 1 << 6,     // a user follows; set by envelope_pack itself
    ENVELOPE_TAGS = 1 << 7,     // tags follow; likewise
    ENVELOPE_QUARANTINE = 1 << 8, // policy doubts it: delivered to the domain's folder for junk
};

struct envelope_recipient {
    struct slice address;  // final, after aliases: local@domain; the domain lower case, A-labels; unquoted as sent
    struct slice original; // as the client gave it; empty when it is the same
};

struct envelope {
    uint32_t flags;
    struct slice sender; // reverse-path without <>; empty is the null reverse-path
    struct slice client; // "host[ip]" for logs, empty for our own
    struct slice helo;
    struct slice session; // session id, for logs
    struct slice user;    // who authenticated, lower case; empty: nobody
    struct slice *tags;   // words of policy's rules
    size_t tags_n;        // 0..ENVELOPE_TAGS_MAX
    struct wall arrived;
    struct envelope_recipient *recipients;
    size_t recipients_n; // 1..ENVELOPE_RECIPIENTS_MAX
};

enum {
    ENVELOPE_RECIPIENTS_MAX = 10000, // after aliases
    ENVELOPE_TAGS_MAX = 32,
};

bool envelope_pack(struct buf *b, const struct envelope *env);

// Slices are views into the input; the recipients' array is in `arena`. False for anything malformed.
bool envelope_unpack(struct unpack *u, struct arena *arena, struct envelope *out);
