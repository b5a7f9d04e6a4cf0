// net_kernel: connecting and accepting with the kernel's sockets.
#include "rt/net_kernel.h"

#include "base/mem.h"
#include "rt/fiber/fiber.h"
#include "rt/fiber/loop.h"
#include "rt/sockaddr.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT_PAUSE_MS = 50 }; // after EMFILE and the like: the connection stays in the backlog

static int set_option(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value);
}

static bool fail_closing(int fd, struct err *e, int sys, const char *what) {
    if (fd >= 0)
        close(fd);
    return err_sys(e, sys, "%s", what);
}

// --- connecting

struct net_kernel {
    struct net base;
    struct loop *loop;
};

static bool wait_connected(struct transport *t, int fd, struct mono deadline, struct err *e) {
    int sys = 0;
    socklen_t n = sizeof sys;
    if (!t->ops->wait_write(t, deadline, e))
        return err_while(e, "connecting");
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n) != 0)
        sys = errno;
    return sys == 0 || err_sys(e, sys, "connecting");
}

static bool kernel_connect(struct net *net, const struct netaddr *to, struct mono deadline, struct transport **out,
                           struct netaddr *local, struct err *e) {
    struct net_kernel *self = LIST_ENTRY(net, struct net_kernel, base);
    union sockaddr_any address;
    socklen_t n = sockaddr_make(to, &address);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, errno, "socket");
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    int r = connect(fd, &address.any, n);
    if (r != 0 && errno != EINPROGRESS)
        return fail_closing(fd, e, errno, "connecting");
    struct transport *t = transport_of_fd(self->loop, fd);
    if (!t)
        return fail_closing(fd, e, errno, "watching a connection");
    if (r != 0 && !wait_connected(t, fd, deadline, e)) {
        t->ops->close(t);
        return false;
    }
    n = sizeof address;
    if (local && getsockname(fd, &address.any, &n) == 0)
        *local = sockaddr_read(&address);
    *out = t;
    return true;
}

static const struct net_ops kernel_ops = {kernel_connect};

struct net *net_kernel_new(struct loop *loop) {
    struct net_kernel *self = MEM_NEW(struct net_kernel);
    *self = (struct net_kernel){.base = {&kernel_ops}, .loop = loop};
    return &self->base;
}

void net_kernel_free(struct net *n) {
    if (n)
        free(LIST_ENTRY(n, struct net_kernel, base));
}

// --- accepting

struct listener_fd {
    struct listener base;
    struct loop *loop;
    struct loop_fd watch;
};

static bool wait_connection(struct listener_fd *self, struct mono deadline, struct err *e) {
    while (!self->watch.readable) {
        self->watch.reader = fiber_self();
        bool woken = fiber_park_err(deadline, "waiting for a connection", e);
        self->watch.reader = NULL;
        if (!woken)
            return false;
    }
    return true;
}

static bool fd_accept(struct listener *l, struct mono deadline, struct transport **out, struct netaddr *peer,
                      struct err *e) {
    struct listener_fd *self = LIST_ENTRY(l, struct listener_fd, base);
    for (;;) {
        if (!wait_connection(self, deadline, e))
            return false;
        union sockaddr_any address = {0};
        socklen_t n = sizeof address;
        int fd = accept4(self->watch.fd, &address.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN) {
            self->watch.readable = false;
            continue;
        }
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0) {
            err_sys(e, errno, "accepting a connection");
            fiber_sleep(ACCEPT_PAUSE_MS);
            return false;
        }
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); // fails on a unix socket, which needs none
        *out = transport_of_fd(self->loop, fd);
        if (!*out)
            return fail_closing(fd, e, errno, "watching a connection");
        *peer = sockaddr_read(&address);
        return true;
    }
}

static void fd_listener_close(struct listener *l) {
    struct listener_fd *self = LIST_ENTRY(l, struct listener_fd, base);
    int fd = self->watch.fd;
    loop_fd_remove(self->loop, &self->watch); // master holds the same socket: closing ours doesn't take it out of epoll
    close(fd);
    free(self);
}

static const struct listener_ops fd_listener_ops = {fd_accept, fd_listener_close};

struct listener *listener_of_fd(struct loop *loop, int fd) {
    struct listener_fd *self = MEM_NEW(struct listener_fd);
    *self = (struct listener_fd){.base = {&fd_listener_ops}, .loop = loop};
    if (!loop_fd_add(loop, &self->watch, fd)) {
        free(self);
        return NULL;
    }
    return &self->base;
}
