// disk: files below one directory, over the kernel or in the simulator. Calls block and don't suspend: `queue` is a
// process of its own. Names are relative, may hold slashes, and can't leave the directory.
#pragma once

#include "base/err.h"

#include <stdint.h>
#include <sys/uio.h> // struct iovec

struct disk {
    const struct disk_ops *ops;
};

struct disk_file {
    const struct disk_file_ops *ops;
};

enum disk_open {
    DISK_READ = 0,
    DISK_WRITE = 1 << 0,     // read and write
    DISK_CREATE = 1 << 1,    // with DISK_WRITE; mode 0600
    DISK_EXCLUSIVE = 1 << 2, // with DISK_CREATE: fails with EEXIST
};

struct disk_file_ops {
    // Fewer than `n` only at the end of the file.
    bool (*read)(struct disk_file *f, void *to, size_t n, uint64_t offset, size_t *got, struct err *e);
    // All or an error; what an error leaves on the disk is unknown.
    bool (*write)(struct disk_file *f, const struct iovec *parts, int parts_n, uint64_t offset, struct err *e);
    // fdatasync. After a failure nothing is known of what was written since the last success, and a later success
    // proves nothing: give the file up.
    bool (*sync)(struct disk_file *f, struct err *e);
    bool (*size)(struct disk_file *f, uint64_t *out, struct err *e);
    void (*close)(struct disk_file *f);
    void (*start_sync)(struct disk_file *f); // may be NULL
    bool (*allocate)(struct disk_file *f, uint64_t size, struct err *e);
};

struct disk_ops {
    bool (*open)(struct disk *d, const char *name, int flags, struct disk_file **out, struct err *e);
    bool (*remove)(struct disk *d, const char *name, struct err *e);
    bool (*rename)(struct disk *d, const char *from, const char *to, struct err *e);
    bool (*make_dir)(struct disk *d, const char *name, struct err *e); // 0700; an existing one is success
    bool (*sync_dir)(struct disk *d, const char *name, struct err *e); // "." is the directory itself
    // Calls `each` for every entry but . and .., in no order.
    bool (*list)(struct disk *d, const char *name, void (*each)(void *arg, const char *entry), void *arg,
                 struct err *e);
    bool (*free_bytes)(struct disk *d, uint64_t *out, struct err *e);
};

// Errors carry errno in e->sys: ENOSPC, EEXIST, ENOENT matter to callers.
MUST_CHECK bool disk_open(struct disk *d, const char *name, int flags, struct disk_file **out, struct err *e);
MUST_CHECK bool disk_remove(struct disk *d, const char *name, struct err *e);
MUST_CHECK bool disk_rename(struct disk *d, const char *from, const char *to, struct err *e);
MUST_CHECK bool disk_make_dir(struct disk *d, const char *name, struct err *e);
MUST_CHECK bool disk_sync_dir(struct disk *d, const char *name, struct err *e);
MUST_CHECK bool disk_list(struct disk *d, const char *name, void (*each)(void *arg, const char *entry), void *arg,
                          struct err *e);
MUST_CHECK bool disk_free_bytes(struct disk *d, uint64_t *out, struct err *e);

MUST_CHECK bool disk_file_read(struct disk_file *f, void *to, size_t n, uint64_t offset, size_t *got, struct err *e);
MUST_CHECK bool disk_file_write(struct disk_file *f, const struct iovec *parts, int parts_n, uint64_t offset,
                                struct err *e);
MUST_CHECK bool disk_file_write_slice(struct disk_file *f, struct slice bytes, uint64_t offset, struct err *e);
MUST_CHECK bool disk_file_sync(struct disk_file *f, struct err *e);
// Begins to write what a sync will wait for. Promises nothing; makes the syncs of several files cost little more than one.
void disk_file_start_sync(struct disk_file *f);
// Makes the file `size` bytes long at least: what is new reads as zeros and has its room on the disk, but is not written.
// Quick; later syncs of what is written there cost more than those of written blocks. EOPNOTSUPP: the file system can't.
MUST_CHECK bool disk_file_allocate(struct disk_file *f, uint64_t size, struct err *e);
MUST_CHECK bool disk_file_size(struct disk_file *f, uint64_t *out, struct err *e);
void disk_file_close(struct disk_file *f); // takes NULL

// The kernel's files below `path` (absolute). NULL and `e` when it can't be opened.
struct disk *disk_of_path(const char *path, struct err *e);
void disk_free_kernel(struct disk *d); // takes NULL
