// submit_header: a header section as a user's program made it, put right for the way (RFC 6409 8). Only this changes:
//
// - added in front: Date, Message-ID and From where there is none; Sender where From has several and there is none
// - left out: Bcc and Resent-Bcc (RFC 5322 3.6.3: those who got it must not show), and results of authentication that
//   speak in our name (RFC 8601 5)
// - folded: lines over 998 octets (RFC 5322 2.1.1), before a blank; within a word only where it has none
// - ended: a last line without CRLF
//
// Every other byte stays as it is.
#pragma once

#include "base/buf.h"
#include "base/when.h"
#include "mail/header/mailboxes.h"

enum { SUBMIT_LINE_MAX = 998 }; // octets of a line without CRLF

struct submit_header_facts {
    struct slice user;       // address of who sends it
    struct slice message_id; // to be added, without <>
    struct slice hostname;   // ours
    struct wall now;
};

struct submit_header {
    struct mailboxes from;   // at least one
    bool from_added;         // it is the user's address
    struct mailboxes sender; // none or one
    bool mime;               // says itself what its body is: MIME-Version or a Content- field (RFC 2045)
};

// `section` as header_section gives it: fields only, which may be none; the empty line behind is the caller's. Appends
// to `out`; slices of `found` are in `arena`. False: 550 5.6.0 with the reason (two From fields or two Sender fields,
// or one that can't be read), or a temporary error.
MUST_CHECK bool submit_header_fix(struct slice section, const struct submit_header_facts *facts, struct arena *arena,
                                  struct buf *out, struct submit_header *found, struct err *e);
