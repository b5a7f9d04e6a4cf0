// stream: buffered reading and writing on a transport. What was put is flushed before a read has to wait, so that
// pipelined commands get their replies in one segment. An idle stream holds no buffer.
#pragma once

#include "base/buf.h"
#include "rt/transport.h"

enum {
    STREAM_IN = 16 * 1024,     // bytes of the read buffer, held only while there is unread input
    STREAM_HEAD = 8,           // bytes that are kept of a line that is too long
    STREAM_TURN = 1024 * 1024, // bytes of a peer who never lets us wait, before others have their turn
};

struct stream {
    struct transport *transport; // owned
    char *in;                    // NULL while nothing is unread
    size_t from, to;
    struct buf out;
    size_t greed;             // bytes that were read since others had their turn
    int64_t write_timeout_ms; // for flushes; 5 minutes unless set
};

// Takes ownership of `t`.
void stream_init(struct stream *s, struct transport *t);

// Without a flush; frees all.
void stream_done(struct stream *s);

// What is unread; at least one byte, waiting for it if need be. The view is valid until the next stream call but
// stream_put. Flushes before it waits. The end of input is an error of kind temporary, sys 0, text "closed by the
// peer"; see stream_ended().
FIBER_FN MUST_CHECK bool stream_peek(struct stream *s, struct mono deadline, struct slice *view, struct err *e);
void stream_consume(struct stream *s, size_t n);
static inline size_t stream_unread(const struct stream *s) { return s->to - s->from; }

// One line with its LF, the whole of it before the deadline, however it is dripped or poured; at most `max` bytes
// (STREAM_HEAD..STREAM_IN). A longer one is read to its end and dropped but for its first STREAM_HEAD bytes:
// `*too_long`. Valid as stream_peek's view; already consumed.
FIBER_FN MUST_CHECK bool stream_line(struct stream *s, size_t max, struct mono deadline, struct slice *line,
                                     bool *too_long, struct err *e);

// Buffered; fails never (memory aside). A buffer that reaches 64 KiB wants a flush: see stream_flush.
void stream_put(struct stream *s, struct slice bytes);
FIBER_FN MUST_CHECK bool stream_flush(struct stream *s, struct err *e);

// Overwrites what was consumed: it held a secret. Views are gone.
void stream_wipe(struct stream *s);

// Puts another transport (TLS over the old one) in place; both buffers must be empty.
void stream_replace(struct stream *s, struct transport *t);
