// signals: a signalfd in the loop.
#include "rt/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void on_event(struct loop_fd *watch) {
    struct signals *s = LIST_ENTRY(watch, struct signals, watch);
    fiber_cond_wake_all(s->wake);
}

static void taken(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
}

bool signals_open(struct signals *s, struct loop *loop, struct fiber_cond *wake, struct err *e) {
    sigset_t set;
    taken(&set);
    *s = (struct signals){.wake = wake, .watch.on_event = on_event};
    signal(SIGPIPE, SIG_IGN);
    // Started with SIGCHLD ignored (some supervisors do), the kernel would reap our children unseen.
    signal(SIGCHLD, SIG_DFL);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_sys(e, errno, "blocking signals");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0 && loop_fd_add(loop, &s->watch, fd))
        return true;
    int sys = errno;
    if (fd >= 0)
        close(fd);
    return err_sys(e, sys, "receiving signals");
}

enum signals_got signals_next(struct signals *s) {
    struct signalfd_siginfo info;
    if (read(s->watch.fd, &info, sizeof info) != sizeof info)
        return SIGNALS_NONE;
    switch (info.ssi_signo) {
    case SIGHUP:
        return SIGNALS_RELOAD;
    case SIGCHLD:
        return SIGNALS_CHILD;
    default:
        return SIGNALS_STOP;
    }
}
