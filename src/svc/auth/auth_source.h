// auth_source: a file that back ends read whole, and again when it changes: looked at at most once a second, when it is
// wanted.
#pragma once

#include "base/buf.h"
#include "rt/disk/file_stamp.h"
#include "rt/world.h"

// Zero-initialised but for the first two is valid.
struct auth_source {
    struct world *world;
    struct slice path; // as the configuration has it
    struct mono look_at;
    struct file_stamp stamp; // of what was read
    bool read;               // something was
    bool failing;            // and the journal knows
};

// True: the file was read into `to`, for the first time or since it is another one. False: nothing new, or it can't be
// read, which the journal is told once.
bool auth_source_changed(struct auth_source *s, struct buf *to);
