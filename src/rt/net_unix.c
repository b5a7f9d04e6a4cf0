// net_unix: a stream socket of the family AF_UNIX.
#include "rt/net_unix.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool net_unix_connect(struct loop *loop, struct slice path, struct transport **out, struct err *e) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path.n == 0 || path.n >= sizeof to.sun_path)
        return err_set(e, ERR_PERMANENT, "the path of a socket has 1 to %zu bytes", sizeof to.sun_path - 1);
    memcpy(to.sun_path, path.p, path.n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, errno, "socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        *out = transport_of_fd(loop, fd);
    else
        *out = NULL;
    if (*out)
        return true;
    err_sys(e, errno, "connecting to %s", to.sun_path);
    close(fd);
    return false;
}
