// apart: fork, a pipe, and waiting.
#include "rt/apart.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool put_all(int fd, struct slice bytes) {
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno != EINTR)
            return false;
        bytes = n > 0 ? slice_from(bytes, (size_t)n) : bytes;
    }
    return true;
}

static void get_all(int fd, struct buf *out) {
    char piece[4096];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(out, slice_of(piece, (size_t)n));
}

_Noreturn static void be_child(int fd, bool (*work)(void *arg, struct buf *out), void *arg, size_t max) {
    struct buf out = {.max = max};
    bool ok = work(arg, &out);
    _exit(put_all(fd, buf_slice(&out)) && ok ? 0 : 1);
}

static bool could_not(struct buf *out, const char *what) {
    buf_addf(out, "%s: %s\n", what, strerror(errno));
    return false;
}

bool apart_run(bool (*work)(void *arg, struct buf *out), void *arg, struct buf *out) {
    int ends[2], status = -1;
    if (pipe(ends) != 0)
        return could_not(out, "making a pipe");
    pid_t pid = fork();
    if (pid == 0)
        be_child(ends[1], work, arg, out->max);
    close(ends[1]);
    if (pid > 0)
        get_all(ends[0], out);
    close(ends[0]);
    if (pid < 0)
        return could_not(out, "copying the process");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
