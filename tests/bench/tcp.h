// tcp: the few socket calls that the bench's programs share. What fails here ends the program with a clear line.
#pragma once

#include "base/slice.h"

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

// Monotonic nanoseconds: the clock that Python calls time.monotonic_ns().
int64_t tcp_now_ns(void);

// The largest number of open files that we may have; a crowd needs it.
void tcp_raise_files(void);

// An IPv4 address in digits.
struct sockaddr_in tcp_address(const char *host, uint16_t port);

// A listening, non-blocking socket on 127.0.0.1. Several may share a port: the kernel spreads connections over them.
int tcp_listen(uint16_t port);

// The next waiting connection, non-blocking and without Nagle's delay, or -1 where there is none.
int tcp_accept(int listener);

// Begins a connection; `source` (host order) is the address to come from, 0 for any. -1 and errno where it failed at
// once.
int tcp_connect(const struct sockaddr_in *to, uint32_t source);

// Bytes that were taken, 0 where the socket would block, -1 where the connection is lost.
ssize_t tcp_send(int fd, struct slice s);

// Bytes that came, 0 where there are none yet, -1 at the end or when the connection is lost.
ssize_t tcp_receive(int fd, char *p, size_t n);

// Prints "PROGRAM: what: why" with errno's words, and exits with 1.
_Noreturn void tcp_die(const char *what);
