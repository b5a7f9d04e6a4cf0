// deliver: a recipient after the other.
#include "svc/deliver/deliver.h"

#include "base/mem.h"
#include "core/route/route.h"
#include "mail/header/header.h"
#include "rt/journal.h"
#include "svc/deliver/maildir_batch.h"
#include "svc/metrics.h"
#include "svc/work.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { HEAD_MAX = 4096, NAME_TRIES = 3 };

struct deliver_service {
    struct world *world;
    const struct config *config;
    struct fiber_group group;
    struct peer queue, control;
    struct metric metric;
    struct maildir_batch batch;
    uint64_t pid;     // in file names
    uint64_t counter; // in file names
};

// time.MmicrosecondsPpid_count.host (https://cr.yp.to/proto/maildir.html); the counter tells apart what one process
// writes within one millisecond.
static struct slice unique_name(struct deliver_service *s, struct arena *arena) {
    struct wall now = world_wall(s->world);
    return arena_printf(arena, "%lld.M%lldP%llu_%llu.%.*s", (long long)(now.ms / 1000),
                        (long long)(now.ms % 1000 * 1000), (unsigned long long)s->pid, (unsigned long long)++s->counter,
                        SLICE_ARG(s->config->hostname));
}

static void add_field(struct buf *b, const char *name, struct slice before, struct slice value, struct slice after) {
    buf_add_str(b, name);
    buf_add(b, before);
    for (size_t i = 0; i < value.n; i++)
        buf_add_char(b, (unsigned char)value.p[i] < ' ' ? '?' : value.p[i]);
    buf_add(b, after);
    buf_add_str(b, "\r\n");
}

static bool add_head(struct buf *b, const struct work *w, const struct message_work_recipient *r) {
    add_field(b, "Return-Path: ", SLICE("<"), w->work.sender, SLICE(">"));
    if (r->original.n && !slice_eq(r->original, r->address))
        add_field(b, "X-Original-To: ", SLICE_EMPTY, r->original, SLICE_EMPTY);
    add_field(b, "Delivered-To: ", SLICE_EMPTY, r->address, SLICE_EMPTY);
    return !b->failed;
}

// A mailbox that the message has been in before would get it for ever.
static bool was_delivered(struct slice content, struct slice address) {
    struct header_field field;
    while (header_next(&content, &field))
        if (slice_ieq(field.name, SLICE("Delivered-To")) && slice_ieq(slice_trim(field.value), address))
            return true;
    return false;
}

static FIBER_FN bool write_content(struct work *w, const struct message_work_recipient *r, struct maildir_file *f,
                                   struct err *e) {
    BUF_AUTO struct buf space = {.max = 2 * MESSAGE_INLINE_MAX};
    BUF_AUTO struct buf head = {.max = HEAD_MAX};
    struct slice piece;
    if (!add_head(&head, w, r) || !maildir_write(f, buf_slice(&head), e))
        return head.failed ? err_smtp(e, 554, "5.1.0", "an address is too long") : false;
    for (uint64_t at = 0; at < w->work.size; at += piece.n) {
        if (!work_content(w, at, &space, &piece, e))
            return false;
        if (at == 0 && was_delivered(piece, r->address))
            return err_smtp(e, 554, "5.4.6", "mail to %.*s goes in a circle: it was delivered there before",
                            SLICE_ARG(r->address));
        if (!maildir_write(f, piece, e))
            return false;
    }
    return true;
}

// errno as the administrator and the sender should hear of it (RFC 3463 3.3, 3.4).
static void classify(struct err *e) {
    if (e->enhanced[0])
        return;
    const uint16_t subject = e->sys == EDQUOT ? 2 : 3, detail = e->sys == EDQUOT ? 2 : e->sys == ENOSPC ? 1 : 0;
    e->enhanced[0] = 4;
    e->enhanced[1] = subject;
    e->enhanced[2] = detail;
}

// Where what policy doubts goes: a folder of the mailbox, by Maildir++.
static struct slice junk_of(const struct deliver_service *s, const struct work *w,
                            const struct message_work_recipient *r) {
    const struct config_domain *domain =
        route_is_local(s->config, slice_from(r->address, slice_rfind(r->address, '@') + 1));
    return domain && (w->work.flags & ENVELOPE_QUARANTINE) ? domain->junk : SLICE_EMPTY;
}

// An empty file by which Maildir++ knows a folder; nothing depends on it.
static void mark_folder(struct deliver_service *s, const char *path, struct arena *arena) {
    struct slice name = arena_printf(arena, "%s/maildirfolder", path);
    struct disk_file *file;
    struct err ignored;
    if (name.p && disk_open(s->world->disk, name.p, DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, &file, &ignored))
        disk_file_close(file);
}

static bool find_path(struct deliver_service *s, struct work *w, const struct message_work_recipient *r,
                      const char **path, struct slice *junk, struct err *e) {
    if (!maildir_path(w->work.host, r->address, &w->arena, path, e))
        return false;
    *junk = junk_of(s, w, r);
    if (junk->n)
        *path = arena_printf(&w->arena, "%s/%.*s", *path, SLICE_ARG(*junk)).p;
    return *path || err_set(e, ERR_TEMPORARY, "out of memory for the mailbox's path");
}

static FIBER_FN bool deliver_to(struct deliver_service *s, struct work *w, const struct message_work_recipient *r,
                                struct err *e) {
    struct maildir_file f;
    const char *path;
    struct slice junk;
    bool begun = false;
    if (!find_path(s, w, r, &path, &junk, e))
        return false;
    for (int i = 0; !begun && i < NAME_TRIES && (i == 0 || e->sys == EEXIST); i++)
        begun = maildir_begin(&f, s->world->disk, path, unique_name(s, &w->arena), e);
    if (!begun)
        return err_while(e, "opening the mailbox");
    if (junk.n)
        mark_folder(s, path, &w->arena);
    if (!write_content(w, r, &f, e)) {
        maildir_abort(&f);
        return false;
    }
    return maildir_batch_commit(&s->batch, &f, e) || err_while(e, "storing the message");
}

static FIBER_FN bool run(void *service, struct work *w) {
    struct deliver_service *s = service;
    struct mono began = loop_now(s->world->loop);
    w->outcome.site = MESSAGE_SITE_WORKED;
    for (size_t i = 0; i < w->work.recipients_n; i++) {
        struct err e = {0};
        if (deliver_to(s, w, &w->work.recipients[i], &e)) {
            work_result(w, i, MESSAGE_DELIVERED, (const uint16_t[]){2, 0, 0}, SLICE("delivered to the mailbox"));
            continue;
        }
        if (e.kind == ERR_CANCELLED)
            return false;
        classify(&e);
        if (e.sys == ENOSPC || e.sys == EROFS || e.sys == EIO) // the disk, not this mailbox
            w->outcome.site = MESSAGE_SITE_FAILED;
        work_result_err(w, i, &e);
    }
    struct mono now = loop_now(s->world->loop);
    w->outcome.ms_transfer = (uint32_t)mono_ms_between(began, now);
    metric_observe(&s->metric, METRIC_ATTEMPT_SECONDS, METRIC_TRANSPORT_MAILDIR, now.ns - began.ns);
    return true;
}

static void from_queue(void *service, struct peer_link *from, const struct link_frame *frame) {
    work_begin(from, frame, MESSAGE_WORK_DELIVER, service, run);
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct deliver_service *s = service;
    metrics_answer(&s->metric, s->world, from, frame);
}

struct deliver_service *deliver_new(struct world *w, const struct config *c) {
    struct deliver_service *s = MEM_NEW(struct deliver_service);
    s->world = w;
    s->config = c;
    fiber_group_init(&s->group, w->loop, "deliver");
    maildir_batch_init(&s->batch, w->loop);
    s->queue = (struct peer){.group = &s->group, .handle = from_queue, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    s->pid = w->journal && w->journal->head.pid > 0 ? (uint64_t)w->journal->head.pid : world_random_u64(w) >> 32;
    metrics_begin(&s->metric, w);
    return s;
}

void deliver_attach(struct deliver_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_QUEUE ? &s->queue : &s->control, link);
}

void deliver_stop(struct deliver_service *s) { fiber_group_cancel(&s->group); }

struct fiber_group *deliver_fibers(struct deliver_service *s) {
    return &s->group;
}

void deliver_free(struct deliver_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    loop_task_stop(&s->batch.task);
    free(s);
}
