// activation: the descriptors from 3 on.
#include "rt/activation.h"

#include "base/num.h"
#include "rt/sockaddr.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST = 3 };

// The number in a variable, which is then forgotten; 0 when there is none.
static uint64_t take_number(const char *name) {
    const char *text = getenv(name);
    uint64_t n = 0;
    if (text && !num_u64(slice_str(text), INT32_MAX, &n))
        n = 0;
    unsetenv(name);
    return n;
}

static bool is_listening(int fd, struct netaddr *at) {
    union sockaddr_any address = {0};
    socklen_t n = sizeof address, flag_n = sizeof(int);
    int listens = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &flag_n) < 0 || !listens)
        return false;
    if (getsockname(fd, &address.any, &n) < 0)
        return false;
    *at = sockaddr_read(&address);
    return at->family != NETADDR_NONE;
}

void activation_take(struct activation *a) {
    uint64_t pid = take_number("LISTEN_PID"), n = take_number("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    *a = (struct activation){0};
    if (pid != (uint64_t)getpid())
        return;
    for (int fd = FIRST; n > 0; fd++, n--) {
        struct netaddr at;
        if (a->n == ACTIVATION_MAX || !is_listening(fd, &at)) {
            close(fd);
            continue;
        }
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        a->sockets[a->n++] = (struct activation_socket){.at = at, .fd = fd};
    }
}

int activation_find(struct activation *a, const struct netaddr *at) {
    for (size_t i = 0; i < a->n; i++) {
        struct activation_socket *s = &a->sockets[i];
        if (s->at.port != at->port || !netaddr_same_ip(&s->at, at))
            continue;
        s->used = true;
        return fcntl(s->fd, F_DUPFD_CLOEXEC, FIRST);
    }
    return -1;
}
