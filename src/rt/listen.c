// listen: socket, bind, listen.
#include "rt/listen.h"

#include "rt/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static socklen_t address_of(const struct netaddr *at, union address *to) {
    *to = (union address){0};
    if (at->family == NETADDR_V4) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(at->port);
        memcpy(&to->v4.sin_addr, at->ip, 4);
        return sizeof to->v4;
    }
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = htons(at->port);
    memcpy(&to->v6.sin6_addr, at->ip, 16);
    return sizeof to->v6;
}

// Takes `fd`.
static bool bind_and_listen(int fd, const union address *at, socklen_t n, int *out, struct err *e) {
    if (bind(fd, &at->any, n) == 0 && listen(fd, BACKLOG) == 0) {
        *out = fd;
        return true;
    }
    int sys = errno;
    close(fd);
    return err_sys(e, sys, "listening");
}

bool listen_tcp(const struct netaddr *at, bool only_v6, int *out, struct err *e) {
    union address address;
    socklen_t n = address_of(at, &address);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "making a socket");
    int on = 1, v6 = only_v6;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->family == NETADDR_V6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6, sizeof v6);
    return bind_and_listen(fd, &address, n, out, e);
}

bool listen_unix(const char *path, int *out, struct err *e) {
    union address address = {.local = {.sun_family = AF_UNIX}};
    size_t n = strlen(path);
    if (n >= sizeof address.local.sun_path)
        return err_set(e, ERR_PERMANENT, "a socket's path may have at most %zu bytes, this one has %zu",
                       sizeof address.local.sun_path - 1, n);
    memcpy(address.local.sun_path, path, n + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "making a socket");
    file_remove_socket(path);
    mode_t before = umask(0177); // nobody may connect in the moment before a chmod
    bool ok = bind_and_listen(fd, &address, sizeof address.local, out, e);
    umask(before);
    return ok;
}
