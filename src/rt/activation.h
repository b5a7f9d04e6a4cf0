// activation: listening sockets that systemd opened before us (sd_listen_fds(3)), without its library.
#pragma once

#include "wire/netaddr.h"

#include <stddef.h>

enum { ACTIVATION_MAX = 64 };

struct activation {
    struct activation_socket {
        struct netaddr at;
        int fd; // kept open for our whole life: an address that a reload forgets can be listened on again later
        bool used;
    } sockets[ACTIVATION_MAX];
    size_t n;
};

// Takes what LISTEN_FDS says when LISTEN_PID is this process, and forgets the variables, so that no child believes
// them. What is no listening TCP socket is closed.
void activation_take(struct activation *a);

// A descriptor of its own of the socket that listens on exactly this address and port; -1 when none was given.
int activation_find(struct activation *a, const struct netaddr *at);
