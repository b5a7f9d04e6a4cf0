// transport_fd: a connected socket in the loop. Edge-triggered: a flag is cleared by whoever meets EAGAIN or a short
// read, and the loop sets it again.
#include "rt/transport.h"

#include "base/mem.h"
#include "rt/fd_pass.h"
#include "rt/fiber/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct transport_fd {
    struct transport base;
    struct loop_fd watch;
    struct fd_pass *fds; // NULL: none are expected
};

static struct transport_fd *of(struct transport *t) { return LIST_ENTRY(t, struct transport_fd, base); }

static enum transport_got fd_read(struct transport *t, char *to, size_t n, size_t *got, struct err *e) {
    struct transport_fd *self = of(t);
    if (!self->watch.readable)
        return TRANSPORT_AGAIN;
    ssize_t r;
    do
        r = self->fds ? fd_pass_receive(self->watch.fd, to, n, self->fds) : recv(self->watch.fd, to, n, MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return TRANSPORT_END;
    if (r < 0 && errno == EAGAIN) {
        self->watch.readable = false;
        return TRANSPORT_AGAIN;
    }
    if (r < 0) {
        err_sys(e, errno, "reading from the peer");
        return TRANSPORT_FAILED;
    }
    // A short read emptied the socket: the next bytes bring an edge. Not so once the peer has hung up: the end of
    // input must still be read, and its edge has been. And a descriptor ends a read, whatever comes behind it.
    if ((size_t)r < n && !self->watch.hangup && !self->fds)
        self->watch.readable = false;
    *got = (size_t)r;
    return TRANSPORT_SOME;
}

static enum transport_got fd_write_fd(struct transport *t, struct slice bytes, int fd, size_t *put, struct err *e) {
    struct transport_fd *self = of(t);
    ssize_t r;
    do
        r = fd >= 0 ? fd_pass_send(self->watch.fd, bytes, fd)
                    : send(self->watch.fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno == EAGAIN) {
        self->watch.writable = false;
        return TRANSPORT_AGAIN;
    }
    if (r < 0) {
        err_sys(e, errno, "writing to the peer");
        return TRANSPORT_FAILED;
    }
    *put = (size_t)r;
    return TRANSPORT_SOME;
}

static enum transport_got fd_write(struct transport *t, struct slice bytes, size_t *put, struct err *e) {
    return fd_write_fd(t, bytes, -1, put, e);
}

static void fd_expect_fds(struct transport *t) {
    struct transport_fd *self = of(t);
    if (!self->fds)
        self->fds = MEM_NEW(struct fd_pass);
}

static int fd_take_fd(struct transport *t) { return of(t)->fds ? fd_pass_take(of(t)->fds) : -1; }

static bool wait_flag(const bool *flag, struct fiber **waiter, const char *what, struct mono deadline, struct err *e) {
    while (!*flag) {
        *waiter = fiber_self();
        bool woken = fiber_park_err(deadline, what, e);
        *waiter = NULL;
        if (!woken)
            return false;
    }
    return true;
}

static bool fd_wait_read(struct transport *t, struct mono deadline, struct err *e) {
    struct transport_fd *self = of(t);
    return wait_flag(&self->watch.readable, &self->watch.reader, "waiting for input", deadline, e);
}

static bool fd_wait_write(struct transport *t, struct mono deadline, struct err *e) {
    struct transport_fd *self = of(t);
    return wait_flag(&self->watch.writable, &self->watch.writer, "waiting to write", deadline, e);
}

static void fd_close(struct transport *t) {
    struct transport_fd *self = of(t);
    close(self->watch.fd); // which takes it out of epoll as well
    if (self->fds)
        fd_pass_close(self->fds);
    free(self->fds);
    free(self);
}

static void fd_notify_write(struct transport *t, struct loop *loop, struct loop_task *task) {
    struct transport_fd *self = of(t);
    self->watch.write_task = task;
    if (task && self->watch.writable) {
        self->watch.write_task = NULL;
        loop_task_set(loop, task);
    }
}

static void fd_shutdown(struct transport *t) { shutdown(of(t)->watch.fd, SHUT_RDWR); }

static const struct transport_ops fd_ops = {
    .read = fd_read,
    .write = fd_write,
    .wait_read = fd_wait_read,
    .wait_write = fd_wait_write,
    .notify_write = fd_notify_write,
    .write_fd = fd_write_fd,
    .expect_fds = fd_expect_fds,
    .take_fd = fd_take_fd,
    .shutdown = fd_shutdown,
    .close = fd_close,
};

struct transport *transport_of_fd(struct loop *loop, int fd) {
    struct transport_fd *self = MEM_NEW(struct transport_fd);
    self->base.ops = &fd_ops;
    if (!loop_fd_add(loop, &self->watch, fd)) {
        free(self);
        return NULL;
    }
    return &self->base;
}

int transport_release_fd(struct loop *loop, struct transport *t) {
    struct transport_fd *self = of(t);
    int fd = self->watch.fd;
    loop_fd_remove(loop, &self->watch); // closing ours wouldn't do it while another process holds the same socket
    if (self->fds)
        fd_pass_close(self->fds);
    free(self->fds);
    free(self);
    return fd;
}
