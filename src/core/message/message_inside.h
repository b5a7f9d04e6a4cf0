// message_inside: what the sources of message.h share: small values as bytes, and counts that are checked before they
// are believed.
#pragma once

#include "core/message/message.h"

static inline bool message_pack_bool(struct buf *b, bool v) { return pack_u8(b, v); }

// Anything but 0 and 1 is malformed.
bool message_unpack_bool(struct unpack *u);

// A value of an enum whose first is 0; `last` is its greatest.
unsigned message_unpack_enum(struct unpack *u, unsigned last);

void message_pack_enhanced(struct buf *b, const uint16_t enhanced[3]);
void message_unpack_enhanced(struct unpack *u, uint16_t enhanced[3]);

void message_pack_ip(struct buf *b, const struct netaddr *a);
struct netaddr message_unpack_ip(struct unpack *u);

// A count and the array for it: at most `max` elements of `size` bytes in memory, each of which takes at least `least`
// bytes of the input. NULL for a count of 0; NULL and u->bad when the input can't hold so many or memory is refused.
void *message_unpack_array(struct unpack *u, struct arena *arena, size_t max, size_t least, size_t size, size_t *n);
