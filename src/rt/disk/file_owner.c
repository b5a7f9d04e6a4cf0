// file_owner: by lchown(2), never through a link.
#include "rt/disk/file_owner.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_owner_as_directory(const char *path, struct err *e) {
    char copy[PATH_MAX];
    struct stat st;
    if (geteuid() != 0)
        return true;
    int n = snprintf(copy, sizeof copy, "%s", path);
    if (n < 0 || (size_t)n >= sizeof copy)
        return err_sys(e, ENAMETOOLONG, "%s", path);
    const char *directory = dirname(copy);
    if (stat(directory, &st) < 0)
        return err_sys(e, errno, "%s", directory);
    return lchown(path, st.st_uid, st.st_gid) == 0 || err_sys(e, errno, "giving %s to its directory's owner", path);
}

bool file_owner_remove(const char *path, struct err *e) {
    return unlink(path) == 0 || errno == ENOENT || err_sys(e, errno, "removing %s", path);
}

bool file_owner_no_link(const char *path, struct err *e) {
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
        return true;
    return err_sys(e, ELOOP, "%s is a symbolic link, where a file should be", path);
}
