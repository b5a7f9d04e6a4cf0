// file: blocking helpers for what master and the command line do before anything runs.
#include "rt/disk/file.h"

#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 16 * 1024, PATH_SIZE = 4096 };

bool file_read_fd(int fd, struct buf *to, struct err *e) {
    for (off_t at = 0;;) {
        size_t room = to->max - to->n < STEP ? to->max - to->n : STEP;
        char *p = room ? buf_reserve(to, room) : NULL;
        char extra;
        ssize_t n = pread(fd, p ? p : &extra, p ? room : 1, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, errno, "reading");
        if (n == 0)
            return true;
        if (!p)
            return err_set(e, ERR_PERMANENT, "larger than %zu bytes", to->max);
        buf_commit(to, (size_t)n);
        at += n;
    }
}

static int open_regular(const char *path, struct err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0) {
        err_sys(e, errno, "%s", path);
    } else if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        fd = -1;
        err_sys(e, EISDIR, "%s", path);
    }
    return fd;
}

bool file_read(const char *path, struct buf *to, struct err *e) {
    int fd = open_regular(path, e);
    if (fd < 0)
        return false;
    bool ok = file_read_fd(fd, to, e);
    close(fd);
    return ok ? true : err_while(e, "%s", path);
}

bool file_readable(const char *path, struct err *e) {
    int fd = open_regular(path, e);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

bool file_identify(const char *path, struct file_identity *out) {
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    *out = (struct file_identity){.device = st.st_dev, .number = st.st_ino};
    return true;
}

bool file_is_root(void) { return geteuid() == 0; }

static bool make_one(const char *path, mode_t mode, struct err *e) {
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return true;
    return err_sys(e, errno, "making the directory %s", path);
}

static bool give_to(const char *path, const char *user, struct err *e) {
    struct passwd *p = getpwnam(user);
    if (!p)
        return err_set(e, ERR_PERMANENT, "no user \"%s\" on this machine", user);
    if (chown(path, p->pw_uid, p->pw_gid) < 0)
        return err_sys(e, errno, "giving %s to %s", path, user);
    return true;
}

bool file_make_dir(const char *path, const char *user, struct err *e) {
    char part[PATH_SIZE];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return err_set(e, ERR_PERMANENT, "a path of %zu bytes", n);
    memcpy(part, path, n + 1);
    for (char *at = part + 1; *at; at++)
        if (*at == '/') {
            *at = '\0';
            if (!make_one(part, 0755, e))
                return false;
            *at = '/';
        }
    if (!make_one(part, 0700, e))
        return false;
    return !user || !file_is_root() || give_to(part, user, e);
}

static int64_t read_holder(int fd) {
    char text[24];
    ssize_t n = pread(fd, text, sizeof text, 0);
    uint64_t pid = 0;
    return n > 0 && num_u64(slice_trim(slice_of(text, (size_t)n)), INT32_MAX, &pid) ? (int64_t)pid : 0;
}

bool file_lock(const char *path, int *out, int64_t *holder, struct err *e) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, errno, "opening %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int sys = errno;
        *holder = read_holder(fd);
        close(fd);
        return err_sys(e, sys, "locking %s", path);
    }
    char text[24];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        int sys = errno;
        close(fd);
        return err_sys(e, sys, "writing %s", path);
    }
    *out = fd;
    return true;
}

void file_remove_socket(const char *path) {
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
}
