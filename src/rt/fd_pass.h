// fd_pass: descriptors beside the bytes of a Unix stream socket (unix(7), SCM_RIGHTS).
#pragma once

#include "base/slice.h"

#include <stdint.h>
#include <sys/types.h>

enum { FD_PASS_MAX = 64 }; // descriptors that came and nobody took yet; more are closed

// What came, oldest first. Zeroed is empty.
struct fd_pass {
    int fds[FD_PASS_MAX];
    size_t n;
};

// As send(2), without waiting, with `fd` beside the first byte.
ssize_t fd_pass_send(int socket, struct slice bytes, int fd);

// As recv(2), without waiting; descriptors are added to `p`. One that couldn't be taken is an error, EMFILE: who reads
// wouldn't know any more which is whose.
ssize_t fd_pass_receive(int socket, void *to, size_t n, struct fd_pass *p);

int fd_pass_take(struct fd_pass *p); // the oldest, which is the caller's then; -1: there is none
void fd_pass_close(struct fd_pass *p);
