// dsn_text: foreign words made fit for a notification: nothing in them can end a line, begin a field or steer a
// terminal.
#pragma once

#include "base/buf.h"

// Appends at most `max` bytes of `text`: what can't be shown becomes a space (CR, LF, TAB) or "?", and without `utf8`
// so does everything beyond ASCII.
bool dsn_text_add(struct buf *b, struct slice text, size_t max, bool utf8);

// Appends "name: value" CRLF, folded before spaces into lines of 78 bytes where words allow it; a word of more than
// 900 bytes is broken. `value` went through dsn_text_add before.
bool dsn_text_field(struct buf *b, const char *name, struct slice value);

// Appends `text` filled into lines of 72 bytes, each after `indent`.
bool dsn_text_paragraph(struct buf *b, const char *indent, struct slice text);

// Appends a header section of which nothing is known: CRLF, LF and CR end a line, NUL becomes "?", a last line
// that was cut is left out unless it is the only one; ends at the first empty line.
bool dsn_text_header(struct buf *b, struct slice header);
