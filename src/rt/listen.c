// listen: socket, bind, listen.
#include "rt/listen.h"

#include "rt/disk/file.h"
#include "rt/sockaddr.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; // the kernel cuts it at net.core.somaxconn

// Takes `fd`.
static bool bind_and_listen(int fd, const struct sockaddr *at, socklen_t n, int *out, struct err *e) {
    if (bind(fd, at, n) == 0 && listen(fd, BACKLOG) == 0) {
        *out = fd;
        return true;
    }
    int sys = errno;
    close(fd);
    return err_sys(e, sys, "listening");
}

bool listen_tcp(const struct netaddr *at, bool only_v6, int *out, struct err *e) {
    union sockaddr_any address;
    socklen_t n = sockaddr_make(at, &address);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "making a socket");
    int on = 1, v6 = only_v6;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->family == NETADDR_V6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6, sizeof v6);
    return bind_and_listen(fd, &address.any, n, out, e);
}

bool listen_unix(const char *path, int *out, struct err *e) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof address.sun_path)
        return err_set(e, ERR_PERMANENT, "a socket's path may have at most %zu bytes, this one has %zu",
                       sizeof address.sun_path - 1, n);
    memcpy(address.sun_path, path, n + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "making a socket");
    file_remove_socket(path);
    mode_t before = umask(0177); // nobody may connect in the moment before a chmod
    bool ok = bind_and_listen(fd, (const struct sockaddr *)&address, sizeof address, out, e);
    umask(before);
    return ok;
}
