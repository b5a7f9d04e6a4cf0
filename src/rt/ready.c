// ready: poll(2) without waiting.
#include "rt/ready.h"

#include <poll.h>

void ready_now(int fd, bool ask_read, bool ask_write, bool *can_read, bool *can_write) {
    struct pollfd p = {.fd = fd, .events = (short)((ask_read ? POLLIN : 0) | (ask_write ? POLLOUT : 0))};
    int n = poll(&p, 1, 0);
    bool broken = n > 0 && (p.revents & (POLLERR | POLLHUP | POLLNVAL));
    *can_read = ask_read && n > 0 && ((p.revents & POLLIN) || broken);
    *can_write = ask_write && n > 0 && ((p.revents & POLLOUT) || broken);
}
