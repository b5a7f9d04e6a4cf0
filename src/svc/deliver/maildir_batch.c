// maildir_batch: fibers that wait, and the task that makes their files safe.
#include "svc/deliver/maildir_batch.h"

// A fiber that waits; on its stack.
struct waiter {
    struct list entry;
    struct fiber *fiber;
    struct maildir_file *file;
    bool done, ok;
    struct err *e;
};

// The earlier file of the same Maildir whose directory was synced for this one too, or `at` itself.
static size_t same_before(struct maildir_file *const *files, const bool *moved, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (moved[i] && strcmp(files[i]->path, files[at]->path) == 0)
            return i;
    return at;
}

void maildir_batch_settle(struct maildir_file *const *files, size_t n, bool *ok, struct err *const *errs) {
    bool moved[MAILDIR_BATCH_MAX];
    for (size_t i = 0; i < n; i++)
        maildir_start_sync(files[i]);
    for (size_t i = 0; i < n; i++)
        moved[i] = ok[i] = maildir_move(files[i], errs[i]);
    for (size_t i = 0; i < n; i++) {
        size_t first = moved[i] ? same_before(files, moved, i) : i;
        if (!moved[i])
            continue;
        if (first == i)
            ok[i] = maildir_sync_new(files[i], errs[i]);
        else if (!(ok[i] = ok[first]))
            *errs[i] = *errs[first];
    }
    for (size_t i = 0; i < n; i++)
        maildir_end(files[i], ok[i]);
}

static void settle(struct loop_task *task) {
    struct maildir_batch *b = LIST_ENTRY(task, struct maildir_batch, task);
    struct waiter *batch[MAILDIR_BATCH_MAX];
    struct maildir_file *files[MAILDIR_BATCH_MAX];
    struct err *errs[MAILDIR_BATCH_MAX];
    bool ok[MAILDIR_BATCH_MAX];
    size_t n = 0;
    for (struct list *at; n < MAILDIR_BATCH_MAX && (at = list_shift(&b->waiting)); n++) {
        batch[n] = LIST_ENTRY(at, struct waiter, entry);
        files[n] = batch[n]->file;
        errs[n] = batch[n]->e;
    }
    maildir_batch_settle(files, n, ok, errs);
    for (size_t i = 0; i < n; i++) {
        batch[i]->done = true;
        batch[i]->ok = ok[i];
        fiber_wake(batch[i]->fiber);
    }
    if (!list_empty(&b->waiting))
        loop_task_set(b->loop, &b->task);
}

void maildir_batch_init(struct maildir_batch *b, struct loop *loop) {
    *b = (struct maildir_batch){.loop = loop, .task = {.run = settle}};
    list_init(&b->waiting);
}

bool maildir_batch_commit(struct maildir_batch *b, struct maildir_file *f, struct err *e) {
    struct waiter w = {.fiber = fiber_self(), .file = f, .e = e};
    list_append(&b->waiting, &w.entry);
    loop_task_set(b->loop, &b->task);
    while (!w.done)
        if (fiber_park(MONO_NEVER) == FIBER_CANCELLED && !w.done) { // the task always comes: no deadline
            list_remove(&w.entry);
            maildir_abort(f);
            return err_set(e, ERR_CANCELLED, "stopped");
        }
    return w.ok;
}
