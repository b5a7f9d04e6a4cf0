// transport: a two-way byte pipe to a peer: a socket, TLS over another transport, memory, or the simulator's wire.
#pragma once

#include "base/err.h"
#include "base/when.h"
#include "rt/fiber/fiber.h"
#include "rt/fiber/loop.h"

enum transport_got { TRANSPORT_SOME, TRANSPORT_AGAIN, TRANSPORT_END, TRANSPORT_FAILED };

struct transport {
    const struct transport_ops *ops;
};

struct transport_ops {
    // Up to `n` bytes that are there now. SOME: 1..n in `*got`. FAILED fills `e`.
    enum transport_got (*read)(struct transport *t, char *to, size_t n, size_t *got, struct err *e);
    // What fits now of `bytes`. SOME: 1.. in `*put`. Never END.
    enum transport_got (*write)(struct transport *t, struct slice bytes, size_t *put, struct err *e);
    // Waits until a read (write) is worth trying again.
    FIBER_FN bool (*wait_read)(struct transport *t, struct mono deadline, struct err *e);
    FIBER_FN bool (*wait_write)(struct transport *t, struct mono deadline, struct err *e);
    // `task` is set in `loop` once, when a write is worth trying again; for writers that are no fiber. NULL takes it
    // back.
    void (*notify_write)(struct transport *t, struct loop *loop, struct loop_task *task);
    // Ends both directions for whoever waits or tries; close is still owed.
    void (*shutdown)(struct transport *t);
    // Only sockets of this machine have these three; NULL elsewhere. As write, with a descriptor beside the first byte;
    // the caller keeps its own. Once expect_fds was called, descriptors that come are kept, and take_fd gives the
    // oldest, which is the caller's then; -1: none.
    enum transport_got (*write_fd)(struct transport *t, struct slice bytes, int fd, size_t *put, struct err *e);
    void (*expect_fds)(struct transport *t);
    int (*take_fd)(struct transport *t);
    // Nobody may be waiting. Ends and frees it; what was written is still sent where that is possible without waiting.
    void (*close)(struct transport *t);
};

// All of `bytes`, waiting as often as needed.
FIBER_FN bool transport_write_all(struct transport *t, struct slice bytes, struct mono deadline, struct err *e);

// At least one byte and at most `n`, waiting for it. The other side's end is an error.
FIBER_FN bool transport_read_some(struct transport *t, char *to, size_t n, struct mono deadline, size_t *got,
                                  struct err *e);

// Two ends of a pipe in memory, for tests and for links inside the simulator. `capacity` bytes each way.
void transport_pair(size_t capacity, struct transport **a, struct transport **b);

// Takes the descriptor (a connected, non-blocking stream socket) into the loop. NULL (and errno) when it can't.
struct transport *transport_of_fd(struct loop *loop, int fd);

// The descriptor of such a transport, out of the loop; the transport is gone. The caller may give it to another
// process.
int transport_release_fd(struct loop *loop, struct transport *t);
