// net_kernel: sockets of this machine's kernel.
#pragma once

#include "rt/net.h"

struct loop;

// Connects through the loop. Freed with net_kernel_free.
struct net *net_kernel_new(struct loop *loop);
void net_kernel_free(struct net *n); // takes NULL

// Takes a listening, non-blocking TCP or unix socket. NULL (errno) when the loop can't.
struct listener *listener_of_fd(struct loop *loop, int fd);
