// maildir_batch: deliveries that became ready in one turn of the loop are made safe together: writing all of them to
// the platter is begun at once, so that one commit of the file system holds them all, and each directory is synced once
// for all its new files. Nobody hears of success before both were done for his file.
#pragma once

#include "rt/fiber/fiber.h"
#include "rt/fiber/loop.h"
#include "svc/deliver/maildir.h"

enum { MAILDIR_BATCH_MAX = 64 }; // files; more have the next turn

struct maildir_batch {
    struct loop *loop;
    struct list waiting;
    struct loop_task task;
};

void maildir_batch_init(struct maildir_batch *b, struct loop *loop);

// As maildir_commit; waits for the end of the turn. Cancelled, it is as maildir_abort.
FIBER_FN MUST_CHECK bool maildir_batch_commit(struct maildir_batch *b, struct maildir_file *f, struct err *e);

// For tests: a batch at once. `ok[i]` and `errs[i]` tell of `files[i]`.
void maildir_batch_settle(struct maildir_file *const *files, size_t n, bool *ok, struct err *const *errs);
