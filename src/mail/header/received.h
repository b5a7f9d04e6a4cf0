// received: the trace field that we put on top of a message (RFC 5321 4.4; "with" as RFC 3848 and RFC 6531 4.3 name
// it; the "tls" clause of RFC 8314 4.3).
//
//     Received: from client.example.net (host.example.net [192.0.2.1])
//         by mx1.example.org (Posthouse) with ESMTPS id 5kTqQy2Zr
//         (auth=bob) for <alice@example.org> tls TLS_AES_256_GCM_SHA384;
//         Sat, 21 Nov 2026 10:41:15 +0000
#pragma once

#include "base/when.h"
#include "wire/netaddr.h"

struct received {
    struct slice helo;     // as the client said it, any bytes
    struct slice host;     // the client's name by DNS; empty where there is none that was confirmed
    struct netaddr client; // family NONE: from ourselves, no "from"
    struct slice hostname; // ours
    struct slice queue_id;
    struct slice recipient; // as it was sent, without <>; empty when there are several (RFC 5321 7.2)
    struct slice cipher;    // the suite's standard name, with tls; may be empty
    bool esmtp;             // EHLO was said
    bool tls;
    bool authenticated;
    struct slice user; // who authenticated, to be shown in a comment; empty: not to be
    bool utf8; // the transaction was asked for with SMTPUTF8
    struct wall when;
};

enum { RECEIVED_MAX = 2048 }; // bytes that are always enough

// Appends the field with its CRLF. Names from outside keep letters, digits and ".-_:[]", anything else becomes "?", and
// are cut at 255 bytes; a user's may also have "@+=/"; a recipient with a control character, or one that isn't ASCII without utf8, is left out. So
// nothing that a peer says can end the field, or its comment, early.
bool received_add(struct buf *b, const struct received *r);
