// notice: a short message of ours to the administrator: plain text, no attachments, not to be answered by a machine
// (RFC 3834).
#pragma once

#include "base/when.h"

struct notice {
    struct slice hostname;
    struct slice to;      // address, without <>
    struct slice subject; // one line
    struct slice text;    // UTF-8, lines end in LF
    uint64_t random;      // for the Message-ID: not to be guessed
    struct wall now;
};

enum { NOTICE_MAX = 64 * 1024 }; // bytes of text used; bytes of `out` that always do are four times that

// Appends the whole message, lines ending in CRLF, ASCII. Whatever the parts hold, they can't begin a header field, and
// nothing in them steers a terminal. False when `out` is too small.
bool notice_write(const struct notice *n, struct buf *out);
