// xtext: text of printable characters with +XX for any other byte (RFC 3461 4), as parameters of SMTP commands have it.
#pragma once

#include "base/buf.h"

// Adds what is meant. False: a "+" without two hexadecimal digits, or control characters or no UTF-8 come out.
bool xtext_decode(struct slice text, struct buf *out);
