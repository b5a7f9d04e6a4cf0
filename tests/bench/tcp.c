// tcp: see tcp.h.
#include "tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

_Noreturn void tcp_die(const char *what) {
    error(1, errno, "%s", what);
    abort();
}

int64_t tcp_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void tcp_raise_files(void) {
    struct rlimit all;
    if (getrlimit(RLIMIT_NOFILE, &all) == 0) {
        all.rlim_cur = all.rlim_max;
        setrlimit(RLIMIT_NOFILE, &all);
    }
}

struct sockaddr_in tcp_address(const char *host, uint16_t port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        error(64, 0, "an IPv4 address was expected, found \"%s\"", host);
    return a;
}

static void set_on(int fd, int level, int option) {
    if (setsockopt(fd, level, option, &(int){1}, sizeof(int)) != 0)
        tcp_die("setsockopt");
}

int tcp_listen(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        tcp_die("socket");
    set_on(fd, SOL_SOCKET, SO_REUSEADDR);
    set_on(fd, SOL_SOCKET, SO_REUSEPORT);
    struct sockaddr_in a = tcp_address("127.0.0.1", port);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 4096) != 0)
        tcp_die("cannot listen on 127.0.0.1");
    return fd;
}

int tcp_accept(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        set_on(fd, IPPROTO_TCP, TCP_NODELAY);
    return fd;
}

static bool begin(int fd, const struct sockaddr_in *to, uint32_t source) {
    if (source) {
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
        set_on(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
        if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
            return false;
    }
    return connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || errno == EINPROGRESS;
}

int tcp_connect(const struct sockaddr_in *to, uint32_t source) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        tcp_die("socket");
    set_on(fd, IPPROTO_TCP, TCP_NODELAY);
    if (begin(fd, to, source))
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

ssize_t tcp_send(int fd, struct slice s) {
    ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
}

ssize_t tcp_receive(int fd, char *p, size_t n) {
    ssize_t got = recv(fd, p, n, 0);
    return got > 0 ? got : got < 0 && errno == EAGAIN ? 0 : -1;
}
