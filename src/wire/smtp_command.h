// smtp_command: one command line of a client as a value (RFC 5321 4.1, 4.5.3; SIZE RFC 1870, 8BITMIME RFC 6152,
// BDAT RFC 3030, STARTTLS RFC 3207, AUTH RFC 4954, SMTPUTF8 RFC 6531, REQUIRETLS RFC 8689, Postfix's XCLIENT). Nothing
// is allocated: slices are views into the line.
//
// What is tolerated beyond the grammar, since clients do it: any case; more than one space between words; one or more
// spaces after the colon of "MAIL FROM:"; spaces at the end (RFC 5321 4.1.1). Never tolerated: a path without <>,
// control characters, bytes that are no UTF-8.
#pragma once

#include "base/err.h"

enum smtp_verb {
    SMTP_UNKNOWN,
    SMTP_HELO,
    SMTP_EHLO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_BDAT,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_VRFY,
    SMTP_EXPN,
    SMTP_HELP,
    SMTP_QUIT,
    SMTP_STARTTLS,
    SMTP_AUTH,
    SMTP_XCLIENT,
    SMTP_VERB_COUNT
};

enum smtp_body_type { SMTP_BODY_UNSAID, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

// What stood between < and >. Only cut up here: whether it is an address, and its lengths, is for mail/address to say.
struct smtp_path {
    struct slice whole;   // all between the brackets; empty is the null path
    struct slice route;   // "@a,@b" of a source route (RFC 5321 C), without its colon; mostly empty
    struct slice mailbox; // whole without the route
    struct slice local;   // of the mailbox, as sent: quotes and backslashes are still in
    struct slice domain;  // after the last @ outside of quotes; empty where there is none ("postmaster")
    bool utf8;            // holds bytes over 127
};

struct smtp_command {
    enum smtp_verb verb;
    struct slice arg; // HELO EHLO: the name given. NOOP VRFY EXPN HELP AUTH XCLIENT: all that follows, may be empty
    struct smtp_path path; // MAIL RCPT
    struct slice params;   // MAIL RCPT: all that follows the path, as sent
    uint64_t size;         // MAIL SIZE=, valid when has_size
    bool has_size;
    enum smtp_body_type body; // MAIL BODY=
    bool smtputf8;            // MAIL SMTPUTF8
    bool requiretls;          // MAIL REQUIRETLS
    struct slice submitter;   // MAIL AUTH= (RFC 4954 5), as sent, in xtext; empty: not given
    uint64_t chunk;           // BDAT: bytes that follow at once
    bool last;                // BDAT LAST
};

enum { SMTP_NAME_MAX = 255 }; // bytes of a HELO name (RFC 5321 4.5.3.1.2)

// `line` comes without its CRLF and may hold any bytes. On failure `e` has the reply that is meant:
//   500 5.5.2 the verb is unknown, or the line holds a control character or no UTF-8
//   501 5.5.4 arguments are missing, too many, or malformed; a parameter twice
//   501 5.1.7 (MAIL) or 5.1.3 (RCPT): the path isn't one
//   553 5.6.7 the reverse-path needs SMTPUTF8, which wasn't said
//   555 5.5.4 a parameter of MAIL or RCPT that isn't known (RFC 5321 4.1.1.11)
// The reply's text never quotes the peer. Whether the command may come now, and limits, are the session's business.
MUST_CHECK bool smtp_command_parse(struct slice line, struct smtp_command *out, struct err *e);

// Only the verb, for what must be known of a line that failed to parse: after a BDAT whose size can't be read nobody
// knows where the content ends, so the session must end.
enum smtp_verb smtp_command_verb(struct slice line);

const char *smtp_verb_name(enum smtp_verb v); // "MAIL"; "?" for SMTP_UNKNOWN
