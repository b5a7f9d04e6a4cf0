// stream: buffers in front of a transport.
#include "rt/stream.h"

#include "base/mem.h"
#include "rt/fiber/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    OUT_MAX = 16 * 1024 * 1024, // nobody puts that much without a flush
    OUT_KEPT = 1024,            // bytes of an empty write buffer that are kept
    WRITE_TIMEOUT_MS = 5 * MS_MINUTE,
};

void stream_init(struct stream *s, struct transport *t) {
    *s = (struct stream){.transport = t, .out = {.max = OUT_MAX}, .write_timeout_ms = WRITE_TIMEOUT_MS};
}

static void free_input(struct stream *s) {
    free(s->in);
    s->in = NULL;
    s->from = s->to = 0;
}

void stream_done(struct stream *s) {
    free_input(s);
    buf_done(&s->out);
    if (s->transport)
        s->transport->ops->close(s->transport);
    s->transport = NULL;
}

void stream_put(struct stream *s, struct slice bytes) {
    bool fits = buf_add(&s->out, bytes);
    assert(fits);
}

bool stream_flush(struct stream *s, struct err *e) {
    if (s->out.n == 0)
        return true;
    struct mono deadline = loop_in_ms(fiber_loop(), s->write_timeout_ms);
    bool sent = transport_write_all(s->transport, buf_slice(&s->out), deadline, e);
    if (s->out.cap > OUT_KEPT)
        buf_trim(&s->out);
    else
        buf_reset(&s->out);
    return sent;
}

static bool ended(struct err *e) { return err_set(e, ERR_TEMPORARY, "closed by the peer"); }

// A peer who sends as fast as we read would never let us wait, and so keep the others from their turns and time from
// passing.
static FIBER_FN bool let_others(struct stream *s, size_t got, struct mono deadline, struct err *e) {
    s->greed += got;
    if (s->greed < STREAM_TURN)
        return true;
    s->greed = 0;
    fiber_yield();
    if (fiber_cancelled())
        return err_set(e, ERR_CANCELLED, "stopped reading");
    return mono_before(loop_now(fiber_loop()), deadline) || err_set(e, ERR_TIMEOUT, "timed out reading");
}

// More input, behind what is unread. There must be room.
static bool fill(struct stream *s, struct mono deadline, struct err *e) {
    for (;;) {
        size_t got = 0;
        if (!s->in)
            s->in = mem_grow(NULL, STREAM_IN, 1);
        switch (s->transport->ops->read(s->transport, s->in + s->to, STREAM_IN - s->to, &got, e)) {
        case TRANSPORT_SOME:
            s->to += got;
            return let_others(s, got, deadline, e);
        case TRANSPORT_END:
            return ended(e);
        case TRANSPORT_FAILED:
            return false;
        case TRANSPORT_AGAIN:
            if (s->to == s->from)
                free_input(s);
            s->greed = 0;
            if (!stream_flush(s, e) || !s->transport->ops->wait_read(s->transport, deadline, e))
                return false;
        }
    }
}

static void make_room(struct stream *s) {
    if (s->from == s->to) {
        s->from = s->to = 0;
    } else if (s->to == STREAM_IN) {
        memmove(s->in, s->in + s->from, s->to - s->from);
        s->to -= s->from;
        s->from = 0;
    }
}

static struct slice unread(const struct stream *s) {
    return s->in ? slice_of(s->in + s->from, s->to - s->from) : SLICE_EMPTY;
}

bool stream_peek(struct stream *s, struct mono deadline, struct slice *view, struct err *e) {
    if (s->from == s->to) {
        make_room(s);
        if (!fill(s, deadline, e))
            return false;
    }
    *view = unread(s);
    return true;
}

void stream_consume(struct stream *s, size_t n) {
    assert(n <= s->to - s->from);
    s->from += n;
}

bool stream_line(struct stream *s, size_t max, struct mono deadline, struct slice *line, bool *too_long,
                 struct err *e) {
    size_t searched = 0;
    bool dropping = false;
    assert(max >= STREAM_HEAD && max <= STREAM_IN);
    for (;;) {
        struct slice all = unread(s);
        size_t at = searched + slice_find(slice_from(all, searched), '\n');
        if (at < all.n) {
            s->from += at + 1;
            *too_long = dropping || at >= max;
            *line = slice_upto(all, *too_long ? STREAM_HEAD : at + 1);
            return true;
        }
        if (dropping || all.n >= max) {
            dropping = true;
            s->to = s->from + STREAM_HEAD;
        }
        searched = stream_unread(s);
        make_room(s);
        if (!fill(s, deadline, e))
            return false;
    }
}

void stream_wipe(struct stream *s) {
    if (!s->in)
        return;
    explicit_bzero(s->in, s->from);
    explicit_bzero(s->in + s->to, STREAM_IN - s->to); // where an earlier move or a dropped line left something
}

void stream_replace(struct stream *s, struct transport *t) {
    assert(stream_unread(s) == 0 && s->out.n == 0);
    s->transport = t;
}
