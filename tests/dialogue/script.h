// script: what the runners of dialogues share: reading a script, and the shorthands in its lines.
#pragma once

#include "base/buf.h"

// A file as a whole; false when it can't be read.
bool script_read(const char *path, struct buf *out);

// The next line of `*rest`, without its LF.
struct slice script_line(struct slice *rest);

// Whether `got` is what a script wants; "..." at the end of `want` stands for anything.
bool script_matches(struct slice got, struct slice want);

// Appends `text` with "{x*1000}" as a thousand x, "{TEXT*30}" as thirty TEXT.
void script_add_repeated(struct buf *out, struct slice text);

// Appends `text` with \r \n \0 \xNN and \\ as the bytes they stand for.
void script_add_escaped(struct buf *out, struct slice text);

enum { SCRIPT_FAILURE = 1000 };

// Runs each file of the command line, and says what came of it as TAP; `run` leaves `failure` empty when all was well.
int script_main(int argc, char **argv, void (*run)(const char *path, struct slice text, char failure[SCRIPT_FAILURE]));
