// link: typed messages between two processes over a transport. Frames that are sent in one turn of the loop leave in
// one write; frames that came in one read are handed out one after the other. A peer that sends what its role may not,
// or a malformed frame, ends the link, never the receiver.
//
// A service reads in a straight loop on a fiber of its own:
//
//     while (link_receive(link, MONO_NEVER, &e))
//         while (link_next(link, &frame))
//             if (!link_take_reply(link, &frame))   // answers to our own calls
//                 handle(&frame);
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "rt/fiber/loop.h"
#include "rt/transport.h"
#include "wire/link_frame.h"

struct link;

// Takes the transport. `self` and `peer` decide which types may go either way (wire/link_frame.h).
struct link *link_new(struct loop *loop, struct transport *t, enum role self, enum role peer);
void link_free(struct link *l); // takes NULL; calls that wait fail

// Reads until at least one whole frame is there. Views of earlier frames are gone.
FIBER_FN MUST_CHECK bool link_receive(struct link *l, struct mono deadline, struct err *e);

// The next whole frame of what was read; its payload is a view, valid until the next link_receive.
bool link_next(struct link *l, struct link_frame *out);

// Queues a frame. The parts are joined. False when the link is down or LINK_OUT_MAX would be passed.
bool link_send(struct link *l, enum link_type type, uint64_t id, const struct slice *parts, size_t parts_n);
bool link_send1(struct link *l, enum link_type type, uint64_t id, struct slice payload);

// Waits while more than half of LINK_OUT_MAX is unsent.
FIBER_FN MUST_CHECK bool link_wait_room(struct link *l, struct mono deadline, struct err *e);

// Sends a request under a fresh id and waits for the frame that answers it (same id). Its payload is copied into
// `reply`, its type into `*type`. A link that breaks meanwhile is a temporary error.
FIBER_FN MUST_CHECK bool link_call(struct link *l, enum link_type type, const struct slice *parts, size_t parts_n,
                                   struct mono deadline, enum link_type *reply_type, struct buf *reply, struct err *e);

struct link_question {
    struct slice payload;
    struct buf *reply; // where the answer is copied
    bool answered;
};
enum { LINK_QUESTIONS_MAX = 64 };

// As link_call for n (up to LINK_QUESTIONS_MAX) requests of a type, all sent at once. Waits until all are answered, the
// deadline, or the link's end.
FIBER_FN void link_call_all(struct link *l, enum link_type type, struct link_question *questions, size_t n,
                            struct mono deadline);

// The answer to `id`, and with it a connection that the peer goes on with: its descriptor comes along. Takes `t`,
// whatever comes of it. False as link_send, and where a transport can't do that (transport.h).
bool link_send_transport(struct link *l, enum link_type type, uint64_t id, struct slice payload, struct transport *t);

// As link_call; `*t` is the connection that came along and the caller's, or NULL.
FIBER_FN MUST_CHECK bool link_call_transport(struct link *l, enum link_type type, struct slice payload,
                                             struct mono deadline, enum link_type *reply_type, struct buf *reply,
                                             struct transport **t, struct err *e);

// Whether the frame answered one of our calls; then it has been taken. Stale answers (the caller gave up) count.
bool link_take_reply(struct link *l, const struct link_frame *f);

bool link_is_up(const struct link *l);
void link_break(struct link *l, const char *why); // as a malformed frame would

enum { LINK_OUT_MAX = 32 * 1024 * 1024 }; // bytes queued towards a peer that doesn't read
