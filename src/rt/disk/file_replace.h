// file_replace: a small file changed at once, for the command line. Blocking.
#pragma once

#include "base/err.h"

// Puts `text` in the place of PATH, so that whoever reads it, and whatever crashes, sees the old or the new one, whole:
// written beside it, synced, renamed. A file that was there gives its mode, owner and group to the new one; a new one
// has mode 0600 and belongs to `user` where that is not NULL and we are root. A symbolic link stays, what it leads to
// is replaced.
MUST_CHECK bool file_replace(const char *path, struct slice text, const char *user, struct err *e);
