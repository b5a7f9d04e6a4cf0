// submit_lines: a body as a user's program sent it, put right while it streams: lines over 998 octets (RFC 5322 2.1.1)
// are broken behind a blank where there is one in the last 200, else where no character of UTF-8 is cut. Only CRLF is
// added; nothing is taken away. It also sees whether there are bytes over 127, and whether all is UTF-8.
#pragma once

#include "base/buf.h"
#include "mail/submit/submit_header.h"

#include <stdint.h>

enum { SUBMIT_LINES_LOOK = 200, SUBMIT_LINES_PASSED = SUBMIT_LINE_MAX - SUBMIT_LINES_LOOK };

// Zeroed stands before the first byte.
struct submit_lines {
    bool eight;    // a byte over 127 was there
    bool not_utf8; // the bytes so far can't be UTF-8; a character that is cut at the end counts after submit_lines_end

    size_t line; // the rest is nobody else's business: bytes of the line, those held counted
    size_t held_n;
    uint8_t want, low, high;          // of the next byte of a character
    char held[SUBMIT_LINES_LOOK + 2]; // what comes behind SUBMIT_LINES_PASSED bytes of a line: it may be broken there
};

// Appends what `in` becomes, but for up to 202 bytes that wait for more. Input may be cut anywhere: the output is the
// same. Lines end in CRLF, as smtp_body with SMTP_BODY_REPAIR makes them; other bytes of that kind are passed.
void submit_lines_feed(struct submit_lines *l, struct slice in, struct buf *out);

// Appends what waits.
void submit_lines_end(struct submit_lines *l, struct buf *out);
