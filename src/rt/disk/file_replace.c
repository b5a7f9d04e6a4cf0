// file_replace: write, sync, rename, sync the directory.
#include "rt/disk/file_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, struct slice text) {
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            text = slice_from(text, (size_t)n);
    }
    return true;
}

// Who may read it stays as it was: a hash must never become readable by the change of it.
static bool dress(int fd, const char *path, const char *user) {
    struct stat old;
    const struct passwd *p;
    if (stat(path, &old) == 0)
        return fchown(fd, old.st_uid, old.st_gid) == 0 && fchmod(fd, old.st_mode & 07777) == 0;
    if (!user || geteuid() != 0)
        return true;
    errno = ENOENT;
    p = getpwnam(user);
    return p && fchown(fd, p->pw_uid, p->pw_gid) == 0;
}

// Of a path that is cut for it.
static bool sync_directory(char *path) {
    char *slash = strrchr(path, '/');
    if (slash)
        slash[slash == path] = '\0';
    int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool replace(const char *path, struct slice text, const char *user, struct err *e) {
    char beside[PATH_MAX + 32];
    snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid());
    unlink(beside); // of a process with our number that died
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, errno, "creating %s", beside);
    bool ok = dress(fd, path, user) && write_all(fd, text) && fsync(fd) == 0;
    int sys = errno;
    close(fd);
    if (ok) {
        ok = rename(beside, path) == 0;
        sys = errno;
    }
    if (!ok) {
        unlink(beside);
        return err_sys(e, sys, "writing %s", path);
    }
    return sync_directory(beside) || err_sys(e, errno, "syncing the directory of %s", path);
}

bool file_replace(const char *path, struct slice text, const char *user, struct err *e) {
    char real[PATH_MAX];
    if (realpath(path, real))
        return replace(real, text, user, e);
    return errno == ENOENT ? replace(path, text, user, e) : err_sys(e, errno, "%s", path);
}
