// link: frames in, frames out, and calls that wait for their answers.
#include "rt/link.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    IN_FIRST = 256 * 1024, // bytes of the read buffer; grows for a larger frame, and shrinks again
    OUT_KEPT = 256 * 1024,
};

// A call that waits for its answer; on the caller's stack.
struct link_wait {
    uint64_t id;
    struct list entry;
    struct fiber *fiber;
    bool answered;
    enum link_type type;
    struct buf *reply;
    int fd; // that came along; -1: none
};

// A descriptor that goes with the frame that begins `at`.
struct link_fd {
    struct list entry;
    uint64_t at; // bytes of this link's output before it
    int fd;
};

struct link {
    struct loop *loop;
    struct transport *transport;
    bool down;
    enum role self, peer;
    struct buf in;
    size_t in_used; // bytes of `in` that were handed out
    size_t in_want; // bytes that the frame behind them needs
    struct buf out;
    size_t out_sent;
    uint64_t sent; // since the link began
    struct list fds;
    struct loop_task flush;
    struct fiber_cond room;
    struct list waits;
    uint64_t last_id;
};

static void flush_task(struct loop_task *task);

struct link *link_new(struct loop *loop, struct transport *t, enum role self, enum role peer) {
    struct link *l = MEM_NEW(struct link);
    *l = (struct link){.loop = loop, .transport = t, .self = self, .peer = peer, .in_want = LINK_HEADER};
    l->in.max = (size_t)2 * (LINK_HEADER + LINK_PAYLOAD_MAX);
    l->out.max = LINK_OUT_MAX;
    l->flush.run = flush_task;
    list_init(&l->waits);
    list_init(&l->fds);
    if (link_type_allowed(LINK_FILTER_REPLY, peer, self) && t->ops->expect_fds)
        t->ops->expect_fds(t);
    return l;
}

static void drop_fd(struct link_fd *f) {
    list_remove(&f->entry);
    close(f->fd);
    free(f);
}

void link_free(struct link *l) {
    if (!l)
        return;
    link_break(l, "freed");
    while (!list_empty(&l->fds))
        drop_fd(LIST_ENTRY(l->fds.next, struct link_fd, entry));
    l->transport->ops->close(l->transport);
    buf_done(&l->in);
    buf_done(&l->out);
    free(l);
}

bool link_is_up(const struct link *l) { return !l->down; }

void link_break(struct link *l, const char *why) {
    (void)why; // for a debugger's eye
    if (l->down)
        return;
    l->down = true;
    loop_task_stop(&l->flush);
    l->transport->ops->notify_write(l->transport, l->loop, NULL);
    l->transport->ops->shutdown(l->transport);
    LIST_EACH(at, &l->waits) fiber_wake(LIST_ENTRY(at, struct link_wait, entry)->fiber);
    fiber_cond_wake_all(&l->room);
}

// --- reading

static void forget_handed_out(struct link *l) {
    buf_drop(&l->in, l->in_used);
    l->in_used = 0;
    if (l->in.n == 0 && l->in.cap > IN_FIRST)
        buf_trim(&l->in);
}

static bool whole_frame_is_there(struct link *l) {
    struct link_frame frame;
    size_t used;
    switch (link_frame_parse(slice_from(buf_slice(&l->in), l->in_used), &frame, &used)) {
    case LINK_FRAME_MORE:
        l->in_want = used;
        return false;
    default: // a bad one too: link_next meets it
        return true;
    }
}

bool link_receive(struct link *l, struct mono deadline, struct err *e) {
    forget_handed_out(l);
    while (l->down || !whole_frame_is_there(l)) {
        size_t got = 0;
        size_t room = l->in.n + IN_FIRST > l->in_want ? IN_FIRST : l->in_want - l->in.n;
        if (l->in.cap > l->in.n && l->in.cap >= l->in_want && l->in.cap - l->in.n >= IN_FIRST / 2)
            room = l->in.cap - l->in.n;
        char *to = l->down ? NULL : buf_reserve(&l->in, room);
        if (!to)
            return err_set(e, ERR_TEMPORARY, "the link to %s is down", role_name(l->peer));
        switch (l->transport->ops->read(l->transport, to, room, &got, e)) {
        case TRANSPORT_SOME:
            buf_commit(&l->in, got);
            break;
        case TRANSPORT_AGAIN:
            if (!l->transport->ops->wait_read(l->transport, deadline, e))
                return false;
            break;
        case TRANSPORT_END:
            err_set(e, ERR_TEMPORARY, "%s closed the link", role_name(l->peer));
            link_break(l, "end");
            return false;
        case TRANSPORT_FAILED:
            link_break(l, "read failed");
            return false;
        }
    }
    return true;
}

bool link_next(struct link *l, struct link_frame *out) {
    size_t used;
    if (l->down)
        return false;
    switch (link_frame_parse(slice_from(buf_slice(&l->in), l->in_used), out, &used)) {
    case LINK_FRAME_WHOLE:
        if (!link_type_allowed(out->type, l->peer, l->self))
            break;
        l->in_used += used;
        return true;
    case LINK_FRAME_MORE:
        return false;
    case LINK_FRAME_BAD:
        break;
    }
    link_break(l, "a frame that the peer may not send, or malformed");
    return false;
}

// --- writing

static void after_flush(struct link *l) {
    if (l->out_sent == l->out.n) {
        l->out_sent = 0;
        if (l->out.cap > OUT_KEPT)
            buf_trim(&l->out);
        else
            buf_reset(&l->out);
    }
    if (l->out.n - l->out_sent <= LINK_OUT_MAX / 2)
        fiber_cond_wake_all(&l->room);
}

// Up to the next frame with a descriptor, or that frame's first bytes.
static enum transport_got write_some(struct link *l, size_t *put) {
    const struct transport_ops *ops = l->transport->ops;
    struct slice rest = slice_from(buf_slice(&l->out), l->out_sent);
    if (list_empty(&l->fds))
        return ops->write(l->transport, rest, put, NULL);
    struct link_fd *f = LIST_ENTRY(l->fds.next, struct link_fd, entry);
    if (f->at > l->sent)
        return ops->write(l->transport, slice_upto(rest, (size_t)(f->at - l->sent)), put, NULL);
    enum transport_got got = ops->write_fd(l->transport, slice_upto(rest, LINK_HEADER), f->fd, put, NULL);
    if (got == TRANSPORT_SOME)
        drop_fd(f);
    return got;
}

static void flush_task(struct loop_task *task) {
    struct link *l = LIST_ENTRY(task, struct link, flush);
    while (!l->down && l->out_sent < l->out.n) {
        size_t put = 0;
        enum transport_got got = write_some(l, &put);
        if (got == TRANSPORT_SOME) {
            l->out_sent += put;
            l->sent += put;
        } else if (got == TRANSPORT_AGAIN) {
            l->transport->ops->notify_write(l->transport, l->loop, &l->flush);
            break;
        } else {
            link_break(l, "write failed");
        }
    }
    after_flush(l);
}

bool link_send(struct link *l, enum link_type type, uint64_t id, const struct slice *parts, size_t parts_n) {
    size_t n = 0;
    for (size_t i = 0; i < parts_n; i++)
        n += parts[i].n;
    if (l->down || n > LINK_PAYLOAD_MAX)
        return false;
    if (l->out_sent > l->out.n / 2 && l->out_sent > OUT_KEPT) {
        buf_drop(&l->out, l->out_sent);
        l->out_sent = 0;
    }
    char *to = buf_reserve(&l->out, LINK_HEADER + n);
    if (!to) {
        l->out.failed = false;
        return false;
    }
    link_frame_header(to, type, id, n);
    buf_commit(&l->out, LINK_HEADER);
    for (size_t i = 0; i < parts_n; i++)
        buf_add(&l->out, parts[i]);
    if (l->out_sent == 0)
        loop_task_set(l->loop, &l->flush);
    return true;
}

bool link_send1(struct link *l, enum link_type type, uint64_t id, struct slice payload) {
    return link_send(l, type, id, &payload, 1);
}

static bool send_with_fd(struct link *l, enum link_type type, uint64_t id, struct slice payload, int fd) {
    uint64_t at = l->sent + (l->out.n - l->out_sent);
    if (!link_send1(l, type, id, payload))
        return false;
    struct link_fd *f = MEM_NEW(struct link_fd);
    *f = (struct link_fd){.at = at, .fd = fd};
    list_append(&l->fds, &f->entry);
    link_frame_header_with_fd(l->out.p + l->out.n - LINK_HEADER - payload.n, type, id, payload.n);
    return true;
}

bool link_send_transport(struct link *l, enum link_type type, uint64_t id, struct slice payload, struct transport *t) {
    if (!l->transport->ops->write_fd || !t->ops->write_fd) {
        t->ops->close(t);
        return false;
    }
    int fd = transport_release_fd(l->loop, t);
    if (send_with_fd(l, type, id, payload, fd))
        return true;
    close(fd);
    return false;
}

bool link_wait_room(struct link *l, struct mono deadline, struct err *e) {
    while (!l->down && l->out.n - l->out_sent > LINK_OUT_MAX / 2)
        switch (fiber_cond_wait(&l->room, deadline)) {
        case FIBER_WOKEN:
            break;
        case FIBER_TIMEOUT:
            return err_set(e, ERR_TIMEOUT, "%s doesn't read its link", role_name(l->peer));
        case FIBER_CANCELLED:
            return err_set(e, ERR_CANCELLED, "stopped while %s doesn't read its link", role_name(l->peer));
        }
    return !l->down || err_set(e, ERR_TEMPORARY, "the link to %s is down", role_name(l->peer));
}

// --- calls

static FIBER_FN bool call(struct link *l, enum link_type type, const struct slice *parts, size_t parts_n,
                          struct mono deadline, enum link_type *reply_type, struct buf *reply, int *fd, struct err *e) {
    if (!link_wait_room(l, deadline, e))
        return false;
    struct link_wait wait = {.id = ++l->last_id, .fiber = fiber_self(), .reply = reply, .fd = -1};
    if (!link_send(l, type, wait.id, parts, parts_n))
        return err_set(e, ERR_TEMPORARY, "the link to %s is down or full", role_name(l->peer));
    list_append(&l->waits, &wait.entry);
    bool woken = true;
    while (woken && !wait.answered && !l->down)
        woken = fiber_park_err(deadline, "waiting for another process", e);
    list_remove(&wait.entry);
    if (wait.answered) {
        *reply_type = wait.type;
        *fd = wait.fd;
        return true;
    }
    return woken ? err_set(e, ERR_TEMPORARY, "the link to %s broke", role_name(l->peer))
                 : err_while(e, "asking %s", role_name(l->peer));
}

static size_t unanswered(const struct link_wait *waits, size_t n) {
    size_t open = 0;
    for (size_t i = 0; i < n; i++)
        open += !waits[i].answered;
    return open;
}

void link_call_all(struct link *l, enum link_type type, struct link_question *questions, size_t n,
                   struct mono deadline) {
    struct link_wait waits[LINK_QUESTIONS_MAX];
    struct err e;
    size_t sent = 0;
    bool woken = n <= LINK_QUESTIONS_MAX && link_wait_room(l, deadline, &e);
    for (; woken && sent < n; sent++) {
        waits[sent] = (struct link_wait){.id = ++l->last_id, .fiber = fiber_self(), .reply = questions[sent].reply};
        if (!link_send1(l, type, waits[sent].id, questions[sent].payload))
            break;
        list_append(&l->waits, &waits[sent].entry);
    }
    while (woken && unanswered(waits, sent) && !l->down)
        woken = fiber_park_err(deadline, "waiting for another process", &e);
    for (size_t i = 0; i < n; i++) {
        questions[i].answered = i < sent && waits[i].answered;
        if (i < sent)
            list_remove(&waits[i].entry);
    }
}

bool link_call(struct link *l, enum link_type type, const struct slice *parts, size_t parts_n, struct mono deadline,
               enum link_type *reply_type, struct buf *reply, struct err *e) {
    int fd = -1;
    if (!call(l, type, parts, parts_n, deadline, reply_type, reply, &fd, e))
        return false;
    if (fd >= 0)
        close(fd);
    return true;
}

bool link_call_transport(struct link *l, enum link_type type, struct slice payload, struct mono deadline,
                         enum link_type *reply_type, struct buf *reply, struct transport **t, struct err *e) {
    int fd = -1;
    if (!call(l, type, &payload, 1, deadline, reply_type, reply, &fd, e))
        return false;
    *t = fd >= 0 ? transport_of_fd(l->loop, fd) : NULL;
    if (*t || fd < 0)
        return true;
    err_sys(e, errno, "watching a connection");
    close(fd);
    return false;
}

static int take_fd(struct link *l, const struct link_frame *f) {
    if (!f->with_fd)
        return -1;
    int fd = l->transport->ops->take_fd ? l->transport->ops->take_fd(l->transport) : -1;
    if (fd < 0)
        link_break(l, "a descriptor is missing");
    return fd;
}

bool link_take_reply(struct link *l, const struct link_frame *f) {
    switch (f->type) {
    case LINK_SUBMIT_REPLY:
    case LINK_READ_REPLY:
    case LINK_RESOLVE_REPLY:
    case LINK_EXPAND_REPLY:
    case LINK_METRICS_REPLY:
    case LINK_QUEUE_REPLY:
    case LINK_MASTER_REPLY:
    case LINK_OWNS_REPLY:
    case LINK_AUTH_REPLY:
    case LINK_PAM_REPLY:
    case LINK_FETCH_REPLY:
    case LINK_TRY_REPLY:
    case LINK_USE_REPLY:
    case LINK_KEYS_SIGNED:
    case LINK_POLICY_REPLY:
    case LINK_SENDER_REPLY:
    case LINK_CLIENT_REPLY:
    case LINK_TALLY_REPLY:
    case LINK_GREYLIST_REPLY:
    case LINK_MATCH_REPLY:
    case LINK_FILTER_REPLY:
        break;
    default:
        return false;
    }
    int fd = take_fd(l, f);
    LIST_EACH(at, &l->waits) {
        struct link_wait *wait = LIST_ENTRY(at, struct link_wait, entry);
        if (wait->id != f->id)
            continue;
        wait->answered = true;
        wait->type = f->type;
        wait->fd = fd;
        fd = -1;
        buf_reset(wait->reply);
        buf_add(wait->reply, f->payload);
        list_remove(&wait->entry);
        fiber_wake(wait->fiber);
        break;
    }
    if (fd >= 0)
        close(fd);
    return true;
}
