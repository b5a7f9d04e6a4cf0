// process: spawn and reap of the roles.
#include "rt/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { LINK_BUFFER = 4 * 1024 * 1024 }; // bytes asked for each way of a link

// Only what a sanitizer reads: nothing else of the administrator's environment is a role's business.
static char **child_environment(char *to[8]) {
    size_t n = 0;
    for (char **at = environ; *at && n < 7; at++)
        if (!strncmp(*at, "ASAN_", 5) || !strncmp(*at, "LSAN_", 5) || !strncmp(*at, "UBSAN_", 6))
            to[n++] = *at;
    to[n] = NULL;
    return to;
}

// Nothing but standard input from nowhere, the other standard descriptors, and the channel.
static int add_descriptors(posix_spawn_file_actions_t *to, int channel) {
    int bad = posix_spawn_file_actions_addopen(to, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    bad = bad ? bad : posix_spawn_file_actions_adddup2(to, channel, PROCESS_CHANNEL);
    return bad ? bad : posix_spawn_file_actions_addclosefrom_np(to, PROCESS_CHANNEL + 1);
}

// Signals to the whole group (Ctrl-C) must not meet a child before it ignores them: it begins with them blocked, as
// they are here (rt/signals.h), and process_begin_child() lets them through.
//
// posix_spawn() and not fork(): a copy of our descriptors, however short-lived, keeps what we close meanwhile in epoll.
static int spawn(enum role role, int channel, pid_t *pid) {
    char title[32], name[16], option[] = "--role", *environment[8];
    snprintf(title, sizeof title, "posthouse: %s", role_name(role));
    snprintf(name, sizeof name, "%s", role_name(role));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int bad = add_descriptors(&actions, channel);
    if (!bad)
        bad = posix_spawn(pid, "/proc/self/exe", &actions, NULL, (char *[]){title, option, name, NULL},
                          child_environment(environment));
    posix_spawn_file_actions_destroy(&actions);
    return bad;
}

bool process_spawn(enum role role, struct process *out, struct err *e) {
    int ends[2];
    pid_t pid = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_sys(e, errno, "making a channel to %s", role_name(role));
    int bad = spawn(role, ends[1], &pid);
    close(ends[1]);
    if (bad) {
        close(ends[0]);
        return err_sys(e, bad, "starting %s", role_name(role));
    }
    *out = (struct process){.pid = pid, .channel = ends[0]};
    return true;
}

bool process_bind_to_parent(void) {
    struct ucred parent;
    socklen_t n = sizeof parent;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The channel was made by the parent: who made it tells whom we should be a child of.
    if (getsockopt(PROCESS_CHANNEL, SOL_SOCKET, SO_PEERCRED, &parent, &n) < 0)
        return false;
    return getppid() == parent.pid;
}

bool process_begin_child(enum role role) {
    static const int of_master[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof of_master / sizeof *of_master; i++)
        signal(of_master[i], SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char name[16];
    snprintf(name, sizeof name, "ph-%s", role_name(role));
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    fcntl(PROCESS_CHANNEL, F_SETFD, FD_CLOEXEC);
    return process_bind_to_parent();
}

bool process_reap(pid_t pid, char *how, size_t how_size, bool *clean) {
    int status;
    pid_t got = waitpid(pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    *clean = got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (got < 0)
        snprintf(how, how_size, "nobody knows how");
    else if (WIFSIGNALED(status))
        snprintf(how, how_size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(how, how_size, "exit code %d", WEXITSTATUS(status));
    return true;
}

void process_signal(pid_t pid, int signal) {
    if (pid > 0)
        kill(pid, signal);
}

static void enlarge(int fd) {
    int size = LINK_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

bool process_link_pair(int ends[2], struct err *e) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return err_sys(e, errno, "making a link between processes");
    enlarge(ends[0]);
    enlarge(ends[1]);
    return true;
}

bool process_text_fd(struct slice text, int *out, struct err *e) {
    int fd = memfd_create("posthouse.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_sys(e, errno, "memfd_create");
    size_t done = 0;
    while (done < text.n) {
        ssize_t n = pwrite(fd, text.p + done, text.n - done, (off_t)done);
        if (n < 0 && errno != EINTR) {
            int sys = errno;
            close(fd);
            return err_sys(e, sys, "writing the configuration for a process");
        }
        done += n > 0 ? (size_t)n : 0;
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    *out = fd;
    return true;
}

void process_raise_descriptors(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

void process_close(int fd) {
    if (fd >= 0)
        close(fd);
}

pid_t process_self(void) { return getpid(); }
