// file: whole small files and the state directory's lock, for master and the command line. Blocking.
#pragma once

#include "base/buf.h"
#include "base/err.h"

// All of the file, at most `to->max` bytes, behind what `to` holds.
MUST_CHECK bool file_read(const char *path, struct buf *to, struct err *e);
MUST_CHECK bool file_read_fd(int fd, struct buf *to, struct err *e);

// Whether this process may read it: e->sys says why not.
MUST_CHECK bool file_readable(const char *path, struct err *e);

// The directory and those above it; a new one has mode 0700 (0755 above it), and belongs to `user` where that is not
// NULL and we are root.
MUST_CHECK bool file_make_dir(const char *path, const char *user, struct err *e);

// Which file a path leads to now: another one after a rename into its place. False when there is none.
struct file_identity {
    uint64_t device, number;
};
bool file_identify(const char *path, struct file_identity *out);

// Whether the caller is root.
bool file_is_root(void);

// Locks PATH, creating it, and writes our process id into it. Freed by closing `*fd` or by our end. Held by somebody
// else: e->sys is EWOULDBLOCK, and `*holder` that process's id, 0 when it can't be told.
MUST_CHECK bool file_lock(const char *path, int *fd, int64_t *holder, struct err *e);

// Removes a socket; nothing when there is none, or when it is something else.
void file_remove_socket(const char *path);
