// child: fork, a pipe, and a deadline.
#include "rt/child.h"

#include "rt/aside.h"
#include "rt/jail/jail.h"
#include "rt/fiber/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REAP_TRIES = 100 }; // of a millisecond

struct child {
    bool (*work)(void *arg, struct buf *out);
    void *arg;
    size_t max;
    int ends[2]; // of a pipe
    pid_t pid;
    int sys; // errno of fork
};

static bool write_all(int fd, struct slice s) {
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno != EINTR)
            return false;
        s = slice_from(s, n > 0 ? (size_t)n : 0);
    }
    return true;
}

// Signals as a program expects them; the others' descriptors closed, or they would stay open at their peers.
static _Noreturn void be_child(struct child *c) {
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD};
    struct buf out = {.max = c->max};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_DFL);
    jail_close_others(&c->ends[1], 1);
    bool ok = c->work(c->arg, &out) && !out.failed && write_all(c->ends[1], buf_slice(&out));
    _exit(ok ? 0 : 1);
}

static void start(void *arg) {
    struct child *c = arg;
    c->pid = fork();
    c->sys = errno;
    if (c->pid == 0)
        be_child(c);
}

static bool read_some(struct loop_fd *watch, struct buf *result, bool *end, struct err *e) {
    char bytes[512];
    ssize_t n = read(watch->fd, bytes, sizeof bytes);
    if (n < 0 && errno == EAGAIN)
        watch->readable = false;
    else if (n < 0 && errno != EINTR)
        return err_sys(e, errno, "reading from a child");
    *end = n == 0;
    return n <= 0 || buf_add(result, slice_of(bytes, (size_t)n)) || err_set(e, ERR_TEMPORARY, "a child says too much");
}

static FIBER_FN bool read_result(struct loop_fd *watch, struct mono deadline, struct buf *result, struct err *e) {
    bool end = false, ok = true;
    while (ok && !end) {
        watch->reader = fiber_self();
        if (!watch->readable)
            ok = fiber_park_err(deadline, "waiting for a child", e);
        else
            ok = read_some(watch, result, &end, e);
    }
    watch->reader = NULL;
    return ok;
}

// A child that closed its end ends at once; one that doesn't is killed, as is one that is late.
static FIBER_FN bool reap(pid_t pid, bool finished) {
    int status = 0;
    pid_t got = 0;
    for (int i = 0; finished && i < REAP_TRIES && (got = waitpid(pid, &status, WNOHANG)) == 0; i++)
        finished = fiber_sleep(1);
    if (got == 0) {
        kill(-pid, SIGKILL); // what it started as well
        kill(pid, SIGKILL);
    }
    while (got == 0 || (got < 0 && errno == EINTR))
        got = waitpid(pid, &status, 0);
    return got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static FIBER_FN bool wait_for(struct child *c, struct mono deadline, struct buf *result, struct err *e) {
    struct loop_fd watch = {0};
    if (!loop_fd_add(fiber_loop(), &watch, c->ends[0])) {
        err_sys(e, errno, "watching a child");
        reap(c->pid, false);
        return false;
    }
    bool finished = read_result(&watch, deadline, result, e);
    loop_fd_remove(fiber_loop(), &watch);
    bool good = reap(c->pid, finished);
    return finished && (good || err_set(e, ERR_TEMPORARY, "a child ended without an answer"));
}

bool child_run(bool (*work)(void *arg, struct buf *out), void *arg, struct mono deadline, struct buf *result,
               struct err *e) {
    struct child c = {.work = work, .arg = arg, .max = result->max, .pid = -1};
    if (pipe2(c.ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(e, errno, "making a pipe");
    (void)fcntl(c.ends[1], F_SETFL, 0);
    bool ran = aside_run(start, &c);
    close(c.ends[1]);
    bool ok = false;
    if (!ran)
        err_set(e, ERR_CANCELLED, "stopped");
    else if (c.pid < 0)
        err_sys(e, c.sys, "starting a child");
    else
        ok = wait_for(&c, deadline, result, e);
    close(c.ends[0]);
    return ok;
}
