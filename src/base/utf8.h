// utf8: whether bytes are UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, at most U+10FFFF.
#pragma once

#include "base/slice.h"

bool utf8_valid(struct slice s); // plain ASCII and the empty slice are
bool utf8_ascii(struct slice s); // all bytes below 128

// The longest start of `s` with at most `n` bytes that cuts no character; for texts with a maximum.
struct slice utf8_upto(struct slice s, size_t n);
