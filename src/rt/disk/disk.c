// disk: the calls' common front.
#include "rt/disk/disk.h"

bool disk_open(struct disk *d, const char *name, int flags, struct disk_file **out, struct err *e) {
    return d->ops->open(d, name, flags, out, e);
}

bool disk_remove(struct disk *d, const char *name, struct err *e) { return d->ops->remove(d, name, e); }

bool disk_rename(struct disk *d, const char *from, const char *to, struct err *e) {
    return d->ops->rename(d, from, to, e);
}

bool disk_make_dir(struct disk *d, const char *name, struct err *e) { return d->ops->make_dir(d, name, e); }
bool disk_sync_dir(struct disk *d, const char *name, struct err *e) { return d->ops->sync_dir(d, name, e); }

bool disk_list(struct disk *d, const char *name, void (*each)(void *arg, const char *entry), void *arg,
               struct err *e) {
    return d->ops->list(d, name, each, arg, e);
}

bool disk_free_bytes(struct disk *d, uint64_t *out, struct err *e) { return d->ops->free_bytes(d, out, e); }

bool disk_file_read(struct disk_file *f, void *to, size_t n, uint64_t offset, size_t *got, struct err *e) {
    return f->ops->read(f, to, n, offset, got, e);
}

bool disk_file_write(struct disk_file *f, const struct iovec *parts, int parts_n, uint64_t offset, struct err *e) {
    return f->ops->write(f, parts, parts_n, offset, e);
}

bool disk_file_write_slice(struct disk_file *f, struct slice bytes, uint64_t offset, struct err *e) {
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
    return disk_file_write(f, &part, 1, offset, e);
}

bool disk_file_sync(struct disk_file *f, struct err *e) { return f->ops->sync(f, e); }
void disk_file_start_sync(struct disk_file *f) {
    if (f->ops->start_sync)
        f->ops->start_sync(f);
}

bool disk_file_allocate(struct disk_file *f, uint64_t size, struct err *e) {
    return f->ops->allocate(f, size, e);
}

bool disk_file_size(struct disk_file *f, uint64_t *out, struct err *e) { return f->ops->size(f, out, e); }

void disk_file_close(struct disk_file *f) {
    if (f)
        f->ops->close(f);
}
