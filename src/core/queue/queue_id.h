// queue_id: a message's name from the Received field to the last log line: 64 bits, printed as 13 letters and digits.
#pragma once

#include "base/buf.h"
#include "base/when.h"

#include <stdint.h>

enum { QUEUE_ID_TEXT = 13 };

// 40 bits of milliseconds (34 years), then 24 bits that the caller counts up from a random start: ids of one process
// never meet within 16 million a millisecond; those of two meet by chance, and the queue refuses the second for now.
uint64_t queue_id_make(struct wall now, uint32_t counter);

// Crockford's base 32: no letter that reads as another. `to` gets no NUL.
void queue_id_print(uint64_t id, char to[QUEUE_ID_TEXT]);
bool queue_id_add(struct buf *b, uint64_t id);

// Exactly QUEUE_ID_TEXT letters, either case; false for anything else, and for 0.
bool queue_id_parse(struct slice text, uint64_t *out);
