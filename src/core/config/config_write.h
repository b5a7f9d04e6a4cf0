// config_write: what the files that write the configuration share.
#pragma once

#include "core/config/config.h"

// As it is where it may stand so, else in quotes.
void config_write_word(struct buf *b, struct slice word);
void config_write_quoted(struct buf *b, struct slice word);

// " NAME WORD"; nothing where the word is empty.
void config_write_named(struct buf *b, const char *name, struct slice word);

// A time as the language has it: "10m".
void config_write_time(struct buf *b, int64_t ms);

// What config_write_gate.c has: all that isn't a setting of a section.
void config_write_gate(const struct config *c, struct buf *b);
