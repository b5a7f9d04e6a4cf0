// quoted_printable: bytes as lines of at most 76 printable ASCII characters (RFC 2045 6.7).
#pragma once

#include "base/buf.h"

// Whether `text` can travel as 7bit as it is: CRLF line ends, lines of at most 998 bytes, ASCII without NUL
// (RFC 2045 2.7).
bool quoted_printable_needless(struct slice text);

// Encodes text whose lines end in CRLF. Other control bytes, 8-bit bytes and "=" become =XX.
bool quoted_printable_add(struct buf *b, struct slice text);

// Decodes; what is no code stays as it stands. Line ends stay as they are, soft ones and blanks before either go.
bool quoted_printable_decode(struct buf *b, struct slice text);
