// delegation: Postfix's policy delegation protocol (SMTPD_POLICY_README of Postfix): a question of lines and an empty
// one, and an answer likewise, over a connection that is kept.
//
//     C: request=smtpd_access_policy
//     C: protocol_state=RCPT
//     C: client_address=192.0.2.1
//     C:
//     S: action=451 4.7.1 come again
//     S:
#pragma once

#include "base/buf.h"

enum {
    DELEGATION_REQUEST_MAX = 64 * 1024, // bytes
    DELEGATION_ANSWER_MAX = 4096,
};

// One line; a value's control characters become "?", so that no value can make a line of its own.
bool delegation_put(struct buf *b, struct slice name, struct slice value);
bool delegation_end(struct buf *b);

enum delegation_got { DELEGATION_WHOLE, DELEGATION_MORE, DELEGATION_BAD };

// The first answer of `in`: the words behind "action=", trimmed; other names are passed over. `*used`: its bytes.
enum delegation_got delegation_take(struct slice in, struct slice *action, size_t *used);
