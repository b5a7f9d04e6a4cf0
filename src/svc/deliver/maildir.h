// maildir: one message into a Maildir, so that a crash leaves it either whole in new/ or not at all: written to tmp/,
// synced, renamed to new/, and the directory synced. Lines end in LF there, as every reader of Maildirs on Unix expects
// (and as Postfix and Dovecot write them), though content travels with CRLF.
#pragma once

#include "core/message/message.h"
#include "rt/disk/disk.h"

// The path of `pattern` with {domain} and {local} of `address` filled in, both lower case. Permanent 5.1.3 where a part
// would leave its place: empty, with "/" or a control character, or beginning with a dot.
MUST_CHECK bool maildir_path(struct slice pattern, struct slice address, struct arena *arena, const char **out,
                             struct err *e);

struct maildir_file {
    struct disk *disk;
    const char *path; // of the Maildir, below the disk's directory
    struct buf name;  // unique part of the file's name
    struct disk_file *file;
    uint64_t size;
    bool cr; // the last piece ended with a CR that may belong to a CRLF
};

// Opens tmp/NAME; makes the Maildir and what is missing above it. On failure there is nothing to do.
MUST_CHECK bool maildir_begin(struct maildir_file *f, struct disk *disk, const char *path, struct slice name,
                              struct err *e);
MUST_CHECK bool maildir_write(struct maildir_file *f, struct slice piece, struct err *e);

// The steps of a commit, for many files at once (svc/deliver/maildir_batch.h): writing begins and goes on by itself;
// the file is synced and moved to new/; that directory is synced; and what held it is let go, after a failure of any of
// them as maildir_abort does.
void maildir_start_sync(struct maildir_file *f);
MUST_CHECK bool maildir_move(struct maildir_file *f, struct err *e);
MUST_CHECK bool maildir_sync_new(struct maildir_file *f, struct err *e);
void maildir_end(struct maildir_file *f, bool ok);

// Either one ends it. Commit: true means that it is safe in new/NAME,S=SIZE.
MUST_CHECK bool maildir_commit(struct maildir_file *f, struct err *e);
void maildir_abort(struct maildir_file *f);
