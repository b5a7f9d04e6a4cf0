// fd_pass: control messages.
#include "rt/fd_pass.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

union one {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

ssize_t fd_pass_send(int socket, struct slice bytes, int fd) {
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
    union one control = {0};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool keep(struct fd_pass *p, int fd) {
    if (p->n == FD_PASS_MAX) {
        close(fd);
        return false;
    }
    p->fds[p->n++] = fd;
    return true;
}

// A control message may hold several.
static bool keep_all(struct fd_pass *p, struct msghdr *m) {
    bool kept = true;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            kept = keep(p, fd) && kept;
        }
    }
    return kept;
}

ssize_t fd_pass_receive(int socket, void *to, size_t n, struct fd_pass *p) {
    struct iovec part = {.iov_base = to, .iov_len = n};
    union one control = {0};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t r = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (r < 0 || (keep_all(p, &m) && !(m.msg_flags & MSG_CTRUNC)))
        return r;
    errno = EMFILE;
    return -1;
}

int fd_pass_take(struct fd_pass *p) {
    if (p->n == 0)
        return -1;
    int fd = p->fds[0];
    p->n--;
    memmove(p->fds, p->fds + 1, p->n * sizeof *p->fds);
    return fd;
}

void fd_pass_close(struct fd_pass *p) {
    for (int fd = fd_pass_take(p); fd >= 0; fd = fd_pass_take(p))
        close(fd);
}
