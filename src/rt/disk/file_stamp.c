// file_stamp: what stat(2) says of a file.
#include "rt/disk/file_stamp.h"

#include <errno.h>
#include <sys/stat.h>

static int64_t ns_of(const struct timespec *t) { return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec; }

bool file_stamp(const char *path, struct file_stamp *out, struct err *e) {
    struct stat st;
    if (stat(path, &st) < 0)
        return err_sys(e, errno, "%s", path);
    *out = (struct file_stamp){.device = st.st_dev,
                               .number = st.st_ino,
                               .size = (uint64_t)st.st_size,
                               .modified_ns = ns_of(&st.st_mtim),
                               .changed_ns = ns_of(&st.st_ctim)};
    return true;
}

bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b) {
    return a->device == b->device && a->number == b->number && a->size == b->size && a->modified_ns == b->modified_ns &&
           a->changed_ns == b->changed_ns;
}
