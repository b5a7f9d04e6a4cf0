// base64: RFC 4648 4, strictly: padding is needed, nothing else than the alphabet is taken (no line ends), unused bits
// are zero, so that every value has one form.
#pragma once

#include "base/buf.h"

bool base64_encode(struct buf *out, struct slice bytes);

// False when `text` isn't base64, or `out` is full; `out` is unchanged then.
bool base64_decode(struct buf *out, struct slice text);
