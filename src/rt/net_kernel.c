// net_kernel: connecting, listening and accepting with the kernel's sockets.
#include "rt/net_kernel.h"

#include "base/mem.h"
#include "rt/fiber.h"
#include "rt/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,       // the kernel cuts it at net.core.somaxconn
    ACCEPT_PAUSE_MS = 50, // after EMFILE and the like: the connection stays in the backlog
};

union any_address {
    struct sockaddr generic;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t to_kernel(const struct netaddr *a, union any_address *out) {
    *out = (union any_address){0};
    if (a->family == NETADDR_V6) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(a->port);
        memcpy(&out->v6.sin6_addr, a->ip, 16);
        return sizeof out->v6;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(a->port);
    memcpy(&out->v4.sin_addr, a->ip, 4);
    return sizeof out->v4;
}

static struct netaddr from_kernel(const union any_address *a) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct netaddr out = {0};
    if (a->generic.sa_family == AF_INET) {
        out.family = NETADDR_V4;
        out.port = ntohs(a->v4.sin_port);
        memcpy(out.ip, &a->v4.sin_addr, 4);
    } else if (a->generic.sa_family == AF_INET6) {
        const uint8_t *ip = a->v6.sin6_addr.s6_addr;
        bool is_v4 = memcmp(ip, mapped, sizeof mapped) == 0;
        out.family = is_v4 ? NETADDR_V4 : NETADDR_V6;
        out.port = ntohs(a->v6.sin6_port);
        memcpy(out.ip, is_v4 ? ip + 12 : ip, is_v4 ? 4 : 16);
    }
    return out;
}

static int set_option(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value);
}

static bool fail_closing(int fd, struct err *e, int sys, const char *what) {
    if (fd >= 0)
        close(fd);
    return err_sys(e, sys, "%s", what);
}

int net_kernel_listen(const struct netaddr *at, struct err *e) {
    union any_address address;
    socklen_t n = to_kernel(at, &address);
    int fd = socket(address.generic.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_sys(e, errno, "socket");
        return -1;
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (at->family == NETADDR_V6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, &address.generic, n) != 0 || listen(fd, BACKLOG) != 0) {
        fail_closing(fd, e, errno, "listen");
        return -1;
    }
    return fd;
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
    union any_address address;
    socklen_t n = to_kernel(to, &address);
    int fd = socket(address.generic.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, errno, "socket");
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    int r = connect(fd, &address.generic, n);
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
    if (local && getsockname(fd, &address.generic, &n) == 0)
        *local = from_kernel(&address);
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
        union any_address address = {0};
        socklen_t n = sizeof address;
        int fd = accept4(self->watch.fd, &address.generic, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
        *peer = from_kernel(&address);
        return true;
    }
}

static void fd_listener_close(struct listener *l) {
    struct listener_fd *self = LIST_ENTRY(l, struct listener_fd, base);
    close(self->watch.fd);
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
