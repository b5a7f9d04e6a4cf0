// handover: packets between master and its children.
#include "rt/handover.h"

#include "base/pack.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

bool handover_pack(struct buf *b, const struct handover *h) {
    pack_u16(b, (uint16_t)h->note);
    pack_u16(b, (uint16_t)h->role);
    pack_u32(b, h->instance);
    pack_u32(b, h->index);
    pack_slice(b, h->name);
    pack_slice(b, h->text);
    return !b->failed;
}

bool handover_unpack(struct slice in, struct handover *out) {
    struct unpack u = {.rest = in};
    uint16_t note = unpack_u16(&u);
    uint16_t role = unpack_u16(&u);
    struct handover h = {.fd = -1};
    h.instance = unpack_u32(&u);
    h.index = unpack_u32(&u);
    h.name = unpack_slice(&u);
    h.text = unpack_slice(&u);
    if (!unpack_end(&u) || note >= HANDOVER_NOTE_COUNT || role >= ROLE_COUNT)
        return false;
    h.note = (enum handover_note)note;
    h.role = (enum role)role;
    *out = h;
    return true;
}

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void put_fd(struct msghdr *m, union control *control, int fd) {
    *control = (union control){0};
    m->msg_control = control->bytes;
    m->msg_controllen = sizeof control->bytes;
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
}

bool handover_send(int channel, const struct handover *h, struct err *e) {
    BUF_AUTO struct buf b = {.max = HANDOVER_MAX};
    if (!handover_pack(&b, h))
        return err_set(e, ERR_PERMANENT, "more than %d bytes for a process of ours", HANDOVER_MAX);
    struct iovec part = {.iov_base = b.p, .iov_len = b.n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    if (h->fd >= 0)
        put_fd(&m, &control, h->fd);
    ssize_t n;
    do
        n = sendmsg(channel, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? true : err_sys(e, errno, "telling a process of ours");
}

static int take_fd(struct msghdr *m) {
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int fd = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

enum handover_got handover_receive(int channel, bool wait, struct buf *bytes, struct handover *out) {
    buf_reset(bytes);
    char *room = buf_reserve(bytes, HANDOVER_MAX);
    if (!room)
        return HANDOVER_END;
    struct iovec part = {.iov_base = room, .iov_len = HANDOVER_MAX};
    union control control = {0};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    while ((n = recvmsg(channel, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0) {
        if (errno == EAGAIN && !wait)
            return HANDOVER_AGAIN;
        if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = channel, .events = POLLIN}, 1, -1);
        else if (errno != EINTR)
            return HANDOVER_END;
    }
    int fd = take_fd(&m);
    buf_commit(bytes, (size_t)n);
    if (n == 0 || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || !handover_unpack(buf_slice(bytes), out)) {
        if (fd >= 0)
            close(fd);
        return HANDOVER_END;
    }
    out->fd = fd;
    return HANDOVER_GOT;
}
