// disk_kernel: files below one directory of this machine. openat2(RESOLVE_BENEATH) keeps every name inside it.
#include "rt/disk/disk.h"

#include "base/mem.h"
#include "base/list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PARTS_A_WRITE = 256 }; // at most IOV_MAX, and small enough for a stack

struct kernel_disk {
    struct disk base;
    int dir;
};

struct kernel_file {
    struct disk_file base;
    int fd;
};

static struct kernel_disk *disk_of(struct disk *d) { return LIST_ENTRY(d, struct kernel_disk, base); }
static int fd_of(struct disk_file *f) { return LIST_ENTRY(f, struct kernel_file, base)->fd; }

static bool file_read(struct disk_file *f, void *to, size_t n, uint64_t offset, size_t *got, struct err *e) {
    size_t done = 0;
    while (done < n) {
        ssize_t r = pread(fd_of(f), (char *)to + done, n - done, (off_t)(offset + done));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_sys(e, errno, "reading");
        if (r == 0)
            break;
        done += (size_t)r;
    }
    *got = done;
    return true;
}

// What is left of parts after `n` bytes have been written.
static void advance(struct iovec **parts, int *parts_n, size_t n) {
    while (*parts_n && n >= (*parts)->iov_len) {
        n -= (*parts)->iov_len;
        (*parts)++;
        (*parts_n)--;
    }
    if (*parts_n) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + n;
        (*parts)->iov_len -= n;
    }
}

static bool write_some(int fd, const struct iovec *parts, int parts_n, uint64_t *offset, struct err *e) {
    struct iovec left[PARTS_A_WRITE];
    struct iovec *at = left;
    memcpy(left, parts, (size_t)parts_n * sizeof *parts);
    advance(&at, &parts_n, 0);
    while (parts_n) {
        ssize_t r = pwritev(fd, at, parts_n, (off_t)*offset);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return err_sys(e, r < 0 ? errno : ENOSPC, "writing");
        *offset += (uint64_t)r;
        advance(&at, &parts_n, (size_t)r);
    }
    return true;
}

static bool file_write(struct disk_file *f, const struct iovec *parts, int parts_n, uint64_t offset, struct err *e) {
    while (parts_n) {
        int n = parts_n < PARTS_A_WRITE ? parts_n : PARTS_A_WRITE;
        if (!write_some(fd_of(f), parts, n, &offset, e))
            return false;
        parts += n;
        parts_n -= n;
    }
    return true;
}

static bool file_sync(struct disk_file *f, struct err *e) {
    return fdatasync(fd_of(f)) == 0 || err_sys(e, errno, "syncing");
}

static bool file_size(struct disk_file *f, uint64_t *out, struct err *e) {
    struct stat st;
    if (fstat(fd_of(f), &st) != 0)
        return err_sys(e, errno, "asking for a size");
    *out = (uint64_t)st.st_size;
    return true;
}

static void file_close(struct disk_file *f) {
    close(fd_of(f));
    free(LIST_ENTRY(f, struct kernel_file, base));
}

// Allocates the blocks now: then the first of many syncs commits them all at once (ext4 would allocate each at its
// own).
static void file_start_sync(struct disk_file *f) { (void)!sync_file_range(fd_of(f), 0, 0, SYNC_FILE_RANGE_WRITE); }

static bool file_allocate(struct disk_file *f, uint64_t size, struct err *e) {
    return fallocate(fd_of(f), 0, 0, (off_t)size) == 0 || err_sys(e, errno, "allocating room for a file");
}

static const struct disk_file_ops file_ops = {file_read,  file_write,      file_sync,    file_size,
                                              file_close, file_start_sync, file_allocate};

static int open_beneath(struct disk *d, const char *name, int flags) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? 0600 : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, disk_of(d)->dir, name, &how, sizeof how);
}

static bool kernel_open(struct disk *d, const char *name, int flags, struct disk_file **out, struct err *e) {
    int how = flags & DISK_WRITE ? O_RDWR : O_RDONLY;
    if (flags & DISK_CREATE)
        how |= O_CREAT | (flags & DISK_EXCLUSIVE ? O_EXCL : 0);
    int fd = open_beneath(d, name, how);
    if (fd < 0)
        return err_sys(e, errno, "opening %s", name);
    struct kernel_file *f = MEM_NEW(struct kernel_file);
    *f = (struct kernel_file){.base = {&file_ops}, .fd = fd};
    *out = &f->base;
    return true;
}

// For calls that have no RESOLVE_BENEATH: the directory that `name` lies in, and its last part. -1 where that could
// leave the disk's directory, by ".." or by a link.
static int open_parent(struct disk *d, const char *name, const char **last, struct err *e) {
    char parent[PATH_MAX];
    struct slice all = slice_str(name);
    size_t slash = slice_rfind(all, '/');
    struct slice before = slash < all.n ? slice_upto(all, slash) : SLICE("."), part = slice_from(all, before.n + 1);
    if (slash == all.n)
        part = all;
    if (before.n >= sizeof parent || part.n == 0 || slice_eq(part, SLICE(".")) || slice_eq(part, SLICE(".."))) {
        err_set(e, ERR_BUG, "the name \"%s\" leaves its directory", name);
        return -1;
    }
    memcpy(parent, before.p, before.n);
    parent[before.n] = '\0';
    *last = part.p;
    int fd = open_beneath(d, before.n ? parent : "/", O_PATH | O_DIRECTORY);
    if (fd < 0)
        err_sys(e, errno, "opening the directory of %s", name);
    return fd;
}

static bool kernel_remove(struct disk *d, const char *name, struct err *e) {
    const char *last;
    int dir = open_parent(d, name, &last, e);
    if (dir < 0)
        return false;
    int r = unlinkat(dir, last, 0), sys = errno;
    close(dir);
    return r == 0 || err_sys(e, sys, "removing %s", name);
}

static bool kernel_rename(struct disk *d, const char *from, const char *to, struct err *e) {
    const char *last_from, *last_to;
    int source = open_parent(d, from, &last_from, e);
    int target = source < 0 ? -1 : open_parent(d, to, &last_to, e);
    bool ok = target >= 0;
    if (ok && renameat(source, last_from, target, last_to) != 0)
        ok = err_sys(e, errno, "renaming %s to %s", from, to);
    if (target >= 0)
        close(target);
    if (source >= 0)
        close(source);
    return ok;
}

static bool kernel_make_dir(struct disk *d, const char *name, struct err *e) {
    const char *last;
    int dir = open_parent(d, name, &last, e);
    if (dir < 0)
        return false;
    struct stat st;
    int r = mkdirat(dir, last, 0700), sys = errno;
    bool there = r == 0 || (sys == EEXIST && fstatat(dir, last, &st, 0) == 0 && S_ISDIR(st.st_mode));
    close(dir);
    return there || err_sys(e, sys, "making the directory %s", name);
}

static bool kernel_sync_dir(struct disk *d, const char *name, struct err *e) {
    int fd = open_beneath(d, name, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return err_sys(e, errno, "opening %s", name);
    int r = fsync(fd), sys = errno;
    close(fd);
    return r == 0 || err_sys(e, sys, "syncing %s", name);
}

static bool kernel_list(struct disk *d, const char *name, void (*each)(void *arg, const char *entry), void *arg,
                        struct err *e) {
    int fd = open_beneath(d, name, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_sys(e, errno, "listing %s", name);
    for (struct dirent *at = readdir(dir); at; at = readdir(dir))
        if (strcmp(at->d_name, ".") != 0 && strcmp(at->d_name, "..") != 0)
            each(arg, at->d_name);
    closedir(dir);
    return true;
}

static bool kernel_free_bytes(struct disk *d, uint64_t *out, struct err *e) {
    struct statvfs st;
    if (fstatvfs(disk_of(d)->dir, &st) != 0)
        return err_sys(e, errno, "asking for free space");
    *out = (uint64_t)st.f_bavail * st.f_frsize;
    return true;
}

static const struct disk_ops kernel_ops = {kernel_open,     kernel_remove, kernel_rename,    kernel_make_dir,
                                           kernel_sync_dir, kernel_list,   kernel_free_bytes};

struct disk *disk_of_path(const char *path, struct err *e) {
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        err_sys(e, errno, "opening %s", path);
        return NULL;
    }
    struct kernel_disk *d = MEM_NEW(struct kernel_disk);
    *d = (struct kernel_disk){.base = {&kernel_ops}, .dir = dir};
    return &d->base;
}

void disk_free_kernel(struct disk *d) {
    if (!d)
        return;
    close(disk_of(d)->dir);
    free(disk_of(d));
}
