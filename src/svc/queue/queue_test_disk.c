// queue_test_disk: the simulator's disk behind a counter of operations.
#include "svc/queue/queue_test_disk.h"

#include "base/list.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct test_file {
    struct disk_file base;
    struct queue_test_disk *disk;
    struct disk_file *inner;
};

static struct queue_test_disk *disk_of(struct disk *d) { return LIST_ENTRY(d, struct queue_test_disk, base); }
static struct test_file *file_of(struct disk_file *f) { return LIST_ENTRY(f, struct test_file, base); }

static bool passes(struct queue_test_disk *d, bool file_sync, struct err *e) {
    if (d->only_syncs && !file_sync)
        return true;
    d->operations++;
    if (d->kill_at && d->operations >= d->kill_at)
        sim_disk_kill(d->mount);
    if (d->fail_at && d->operations >= d->fail_at && d->operations < d->fail_at + d->fail_n)
        return err_sys(e, d->fail_sys, "told to fail");
    return true;
}

static bool file_read(struct disk_file *f, void *to, size_t n, uint64_t offset, size_t *got, struct err *e) {
    return disk_file_read(file_of(f)->inner, to, n, offset, got, e);
}

static bool file_write(struct disk_file *f, const struct iovec *parts, int n, uint64_t offset, struct err *e) {
    if (passes(file_of(f)->disk, false, e))
        return disk_file_write(file_of(f)->inner, parts, n, offset, e);
    struct err ignored; // what a failed write leaves behind is unknown: here, half of its parts
    bool some = disk_file_write(file_of(f)->inner, parts, n / 2, offset, &ignored);
    return some && false;
}

static bool file_sync(struct disk_file *f, struct err *e) {
    return passes(file_of(f)->disk, true, e) && disk_file_sync(file_of(f)->inner, e);
}

static bool file_size(struct disk_file *f, uint64_t *out, struct err *e) {
    return disk_file_size(file_of(f)->inner, out, e);
}

static void file_close(struct disk_file *f) {
    disk_file_close(file_of(f)->inner);
    free(file_of(f));
}

static bool file_allocate(struct disk_file *f, uint64_t size, struct err *e) {
    if (file_of(f)->disk->cannot_allocate)
        return err_sys(e, EOPNOTSUPP, "allocating");
    bool ok = passes(file_of(f)->disk, false, e) && disk_file_allocate(file_of(f)->inner, size, e);
    file_of(f)->disk->allocations += ok;
    return ok;
}

static const struct disk_file_ops file_ops = {file_read,  file_write, file_sync,    file_size,
                                              file_close, NULL,       file_allocate};

static bool test_open(struct disk *d, const char *name, int flags, struct disk_file **out, struct err *e) {
    struct disk_file *inner;
    if ((flags & DISK_CREATE && !passes(disk_of(d), false, e)) || !disk_open(disk_of(d)->mount, name, flags, &inner, e))
        return false;
    struct test_file *f = MEM_NEW(struct test_file);
    *f = (struct test_file){.base = {&file_ops}, .disk = disk_of(d), .inner = inner};
    *out = &f->base;
    return true;
}

static bool test_remove(struct disk *d, const char *name, struct err *e) {
    return passes(disk_of(d), false, e) && disk_remove(disk_of(d)->mount, name, e);
}

static bool test_rename(struct disk *d, const char *from, const char *to, struct err *e) {
    return passes(disk_of(d), false, e) && disk_rename(disk_of(d)->mount, from, to, e);
}

static bool test_make_dir(struct disk *d, const char *name, struct err *e) {
    return disk_make_dir(disk_of(d)->mount, name, e);
}

static bool test_sync_dir(struct disk *d, const char *name, struct err *e) {
    return passes(disk_of(d), false, e) && disk_sync_dir(disk_of(d)->mount, name, e);
}

static bool test_list(struct disk *d, const char *name, void (*each)(void *arg, const char *entry), void *arg,
                      struct err *e) {
    return disk_list(disk_of(d)->mount, name, each, arg, e);
}

static bool test_free_bytes(struct disk *d, uint64_t *out, struct err *e) {
    uint64_t ignored;
    if (!disk_free_bytes(disk_of(d)->mount, &ignored, e))
        return false;
    *out = disk_of(d)->free_bytes;
    return true;
}

static const struct disk_ops disk_ops = {test_open,     test_remove, test_rename,    test_make_dir,
                                         test_sync_dir, test_list,   test_free_bytes};

static struct wall test_wall(void *arg) { return ((struct queue_test_world *)arg)->wall; }

static void test_random(void *arg, void *to, size_t n) {
    struct queue_test_world *w = arg;
    for (size_t i = 0; i < n; i++)
        ((char *)to)[i] = (char)seed_next(&w->disk.seed);
}

static const struct world_ops world_ops = {test_wall, test_random};

void queue_test_world_init(struct queue_test_world *w, uint64_t seed) {
    *w = (struct queue_test_world){.wall = {1000000000000}};
    struct queue_test_disk *d = &w->disk;
    d->base.ops = &disk_ops;
    d->seed.state = seed;
    d->free_bytes = 1ull << 40;
    d->sim = sim_disk_new(&d->seed);
    sim_disk_set_faults(d->sim, &(struct sim_disk_faults){.capacity = 1ull << 40});
    d->mount = sim_disk_mount(d->sim);
    w->world = (struct world){.disk = &d->base, .ops = &world_ops, .ops_arg = w};
}

void queue_test_world_done(struct queue_test_world *w) {
    sim_disk_unmount(w->disk.mount);
    sim_disk_free(w->disk.sim);
}

void queue_test_world_restart(struct queue_test_world *w, bool power) {
    sim_disk_unmount(w->disk.mount);
    if (power)
        sim_disk_crash(w->disk.sim);
    w->disk.mount = sim_disk_mount(w->disk.sim);
    w->disk.fail_at = w->disk.kill_at = w->disk.operations = 0;
    w->disk.only_syncs = false;
}

bool queue_test_overwrite(struct queue_test_world *w, const char *name, uint64_t offset, const void *bytes, size_t n) {
    struct disk_file *f;
    struct err e;
    if (!disk_open(w->disk.mount, name, DISK_WRITE, &f, &e))
        return false;
    bool ok = disk_file_write_slice(f, slice_of(bytes, n), offset, &e) && disk_file_sync(f, &e);
    disk_file_close(f);
    return ok;
}

bool queue_test_flip(struct queue_test_world *w, const char *name, uint64_t offset) {
    struct disk_file *f;
    struct err e;
    char byte;
    size_t got = 0;
    if (!disk_open(w->disk.mount, name, DISK_WRITE, &f, &e))
        return false;
    bool ok = disk_file_read(f, &byte, 1, offset, &got, &e) && got == 1;
    disk_file_close(f);
    byte ^= 16;
    return ok && queue_test_overwrite(w, name, offset, &byte, 1);
}

struct counting {
    const char *prefix;
    size_t n;
};

static void count_name(void *arg, const char *entry) {
    struct counting *c = arg;
    c->n += slice_starts(slice_str(entry), slice_str(c->prefix));
}

size_t queue_test_count(struct queue_test_world *w, const char *directory, const char *prefix) {
    struct counting c = {.prefix = prefix};
    struct err e;
    return disk_list(w->disk.mount, directory, count_name, &c, &e) ? c.n : 0;
}
