// notify: one datagram to NOTIFY_SOCKET.
#include "rt/notify.h"

#include "base/num.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void notify_systemd(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)(void *)&to, size);
    close(fd);
}

void notify_reloading(void) {
    char text[64];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + (long long)now.tv_nsec / 1000);
    notify_systemd(text);
}

// The number in a variable of the environment; 0 when it has none.
static uint64_t number_in(const char *name) {
    const char *text = getenv(name);
    uint64_t n = 0;
    return text && num_u64(slice_str(text), INT64_MAX, &n) ? n : 0;
}

int64_t notify_watchdog_ms(void) {
    if (getenv("WATCHDOG_PID") && number_in("WATCHDOG_PID") != (uint64_t)getpid())
        return 0;
    uint64_t ms = number_in("WATCHDOG_USEC") / 2000;
    return ms || !number_in("WATCHDOG_USEC") ? (int64_t)ms : 1;
}
