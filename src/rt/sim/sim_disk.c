// sim_disk: files with two contents, the one in memory and the one on the platter, and names in two states likewise.
#include "rt/sim/sim_disk.h"

#include "base/list.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct bytes {
    char *p;
    size_t n, cap;
};

struct inode {
    struct bytes now, durable;
    unsigned char *dirty; // by sector of `now`: not synced
    size_t dirty_n;       // sectors that `dirty` covers
    size_t links;         // names (in either state) and open files
};

// A name as it is now. The same list holds those that only the platter has: `now` NULL.
struct name {
    struct list entry;
    char *text;
    struct inode *now, *durable;
};

// Changes of names reach the platter in order, as a journal's do: a crash keeps a prefix of those since the last sync.
struct change {
    struct list entry;
    char *text;
    struct inode *to; // NULL: removed
    bool joined;      // the next one is part of this one: a rename
};

struct sim_disk {
    struct seed *seed;
    struct sim_disk_faults faults;
    struct list names;
    struct list changes;
    struct list mounts;
    uint64_t used;
    uint64_t falls_in; // operations; 0: not at all
    void (*fell)(void *arg);
    void *fell_arg;
};

struct mount {
    struct disk base;
    struct list entry;
    struct sim_disk *disk;
    bool dead;
};

struct open_file {
    struct disk_file base;
    struct mount *mount;
    struct inode *inode;
};

static struct mount *mount_of(struct disk *d) { return LIST_ENTRY(d, struct mount, base); }
static struct open_file *file_of(struct disk_file *f) { return LIST_ENTRY(f, struct open_file, base); }

static bool alive(const struct mount *m, struct err *e) {
    return !m->dead || err_set(e, ERR_CANCELLED, "this process was killed");
}

static void kill_all_mounts(struct sim_disk *d) {
    LIST_EACH(at, &d->mounts) LIST_ENTRY(at, struct mount, entry)->dead = true;
}

// Before each change. True: this is the one in which it ends.
static bool falls_now(struct sim_disk *d) {
    if (d->falls_in == 0 || --d->falls_in > 0)
        return false;
    kill_all_mounts(d);
    d->fell(d->fell_arg);
    return true;
}

static bool fell(struct err *e) { return err_set(e, ERR_CANCELLED, "this process was killed"); }

// --- inodes

static void bytes_resize(struct bytes *b, size_t n) {
    if (n > b->cap) {
        size_t cap = n + n / 2;
        b->p = mem_grow(b->p, cap, 1);
        memset(b->p + b->cap, 0, cap - b->cap);
        b->cap = cap;
    }
    if (n < b->n)
        memset(b->p + n, 0, b->n - n);
    b->n = n;
}

static void inode_drop(struct sim_disk *d, struct inode *i) {
    if (!i || --i->links)
        return;
    d->used -= i->now.n;
    free(i->now.p);
    free(i->durable.p);
    free(i->dirty);
    free(i);
}

static void mark_dirty(struct inode *i, uint64_t from, uint64_t to) {
    size_t last = (size_t)((to + SIM_DISK_SECTOR - 1) / SIM_DISK_SECTOR);
    if (last > i->dirty_n) {
        i->dirty = mem_grow(i->dirty, last, 1);
        memset(i->dirty + i->dirty_n, 0, last - i->dirty_n);
        i->dirty_n = last;
    }
    memset(i->dirty + from / SIM_DISK_SECTOR, 1, last - (size_t)(from / SIM_DISK_SECTOR));
}

static void settle_sector(struct inode *i, size_t sector) {
    size_t from = sector * SIM_DISK_SECTOR, to = from + SIM_DISK_SECTOR;
    if (to > i->now.n)
        to = i->now.n;
    if (from >= to)
        return;
    if (to > i->durable.n)
        bytes_resize(&i->durable, to);
    memcpy(i->durable.p + from, i->now.p + from, to - from);
}

// Every dirty sector gets to the platter, or `by_chance` each.
static void settle(struct sim_disk *d, struct inode *i, bool by_chance) {
    for (size_t sector = 0; sector < i->dirty_n; sector++)
        if (i->dirty[sector] && !(by_chance && seed_chance(d->seed, 500)))
            settle_sector(i, sector);
    i->dirty_n = 0;
    if (!by_chance)
        bytes_resize(&i->durable, i->now.n);
}

// --- names

static struct name *find_name(struct sim_disk *d, const char *text) {
    LIST_EACH(at, &d->names) {
        struct name *n = LIST_ENTRY(at, struct name, entry);
        if (strcmp(n->text, text) == 0)
            return n;
    }
    return NULL;
}

static struct name *name_for(struct sim_disk *d, const char *text) {
    struct name *n = find_name(d, text);
    if (n)
        return n;
    n = MEM_NEW(struct name);
    n->text = strdup(text);
    list_append(&d->names, &n->entry);
    return n;
}

static void drop_name_if_unused(struct name *n) {
    if (n->now || n->durable)
        return;
    list_remove(&n->entry);
    free(n->text);
    free(n);
}

static void point(struct sim_disk *d, struct inode **at, struct inode *to) {
    if (to)
        to->links++;
    inode_drop(d, *at);
    *at = to;
}

static void set_name(struct sim_disk *d, const char *text, struct inode *to, bool joined) {
    struct change *c = MEM_NEW(struct change);
    *c = (struct change){.text = strdup(text), .joined = joined};
    point(d, &c->to, to);
    list_append(&d->changes, &c->entry);
    struct name *n = name_for(d, text);
    point(d, &n->now, to);
}

// Applies the oldest `count` changes to the platter and forgets them.
static void settle_changes(struct sim_disk *d, size_t count) {
    while (count-- && !list_empty(&d->changes)) {
        struct change *c = LIST_ENTRY(list_shift(&d->changes), struct change, entry);
        struct name *n = name_for(d, c->text);
        point(d, &n->durable, c->to);
        point(d, &c->to, NULL);
        drop_name_if_unused(n);
        if (c->joined)
            count++;
        free(c->text);
        free(c);
    }
}

static void forget_changes(struct sim_disk *d) {
    for (struct list *at = list_shift(&d->changes); at; at = list_shift(&d->changes)) {
        struct change *c = LIST_ENTRY(at, struct change, entry);
        point(d, &c->to, NULL);
        free(c->text);
        free(c);
    }
}

// --- files

static bool file_read(struct disk_file *base, void *to, size_t n, uint64_t offset, size_t *got, struct err *e) {
    struct open_file *f = file_of(base);
    if (!alive(f->mount, e))
        return false;
    size_t size = f->inode->now.n;
    *got = offset >= size ? 0 : n < size - (size_t)offset ? n : size - (size_t)offset;
    if (*got)
        memcpy(to, f->inode->now.p + offset, *got);
    return true;
}

static void put(struct inode *i, struct slice bytes, uint64_t offset) {
    memcpy(i->now.p + offset, bytes.p, bytes.n);
    mark_dirty(i, offset, offset + bytes.n);
}

static bool file_write(struct disk_file *base, const struct iovec *parts, int parts_n, uint64_t offset,
                       struct err *e) {
    struct open_file *f = file_of(base);
    struct sim_disk *d = f->mount->disk;
    struct inode *i = f->inode;
    uint64_t end = offset;
    if (!alive(f->mount, e))
        return false;
    bool falls = falls_now(d);
    for (int k = 0; k < parts_n; k++)
        end += parts[k].iov_len;
    if (end > i->now.n) {
        if (d->used + (end - i->now.n) > d->faults.capacity)
            return err_sys(e, ENOSPC, "writing");
        d->used += end - i->now.n;
        bytes_resize(&i->now, (size_t)end);
    }
    bool fails = falls || seed_chance(d->seed, d->faults.write_per_mille);
    for (int k = 0; k < parts_n && !(fails && seed_chance(d->seed, 500)); k++) {
        if (parts[k].iov_len)
            put(i, slice_of(parts[k].iov_base, parts[k].iov_len), offset);
        offset += parts[k].iov_len;
    }
    if (falls)
        return fell(e);
    return !fails || err_sys(e, EIO, "writing");
}

static bool file_sync(struct disk_file *base, struct err *e) {
    struct open_file *f = file_of(base);
    struct sim_disk *d = f->mount->disk;
    if (!alive(f->mount, e))
        return false;
    if (falls_now(d))
        return fell(e);
    bool fails = seed_chance(d->seed, d->faults.sync_per_mille);
    settle(d, f->inode, fails); // what did not get there counts as clean all the same: so kernels do
    return !fails || err_sys(e, EIO, "syncing");
}

static bool file_size(struct disk_file *base, uint64_t *out, struct err *e) {
    if (!alive(file_of(base)->mount, e))
        return false;
    *out = file_of(base)->inode->now.n;
    return true;
}

static void file_close(struct disk_file *base) {
    struct open_file *f = file_of(base);
    inode_drop(f->mount->disk, f->inode);
    free(f);
}

static bool file_allocate(struct disk_file *base, uint64_t size, struct err *e) {
    static const char zero;
    const struct iovec last = {.iov_base = (void *)(uintptr_t)&zero, .iov_len = 1};
    return size <= file_of(base)->inode->now.n || file_write(base, &last, 1, size - 1, e);
}

static const struct disk_file_ops file_ops = {file_read,  file_write, file_sync,    file_size,
                                              file_close, NULL,       file_allocate};

// --- the mount

static bool mount_open(struct disk *base, const char *name, int flags, struct disk_file **out, struct err *e) {
    struct mount *m = mount_of(base);
    if (!alive(m, e))
        return false;
    struct name *n = find_name(m->disk, name);
    struct inode *i = n ? n->now : NULL;
    if (i && (flags & DISK_EXCLUSIVE))
        return err_sys(e, EEXIST, "opening %s", name);
    if (!i && !(flags & DISK_CREATE))
        return err_sys(e, ENOENT, "opening %s", name);
    if (!i) {
        if (falls_now(m->disk))
            return fell(e);
        i = MEM_NEW(struct inode);
        set_name(m->disk, name, i, false);
    }
    struct open_file *f = MEM_NEW(struct open_file);
    *f = (struct open_file){.base = {&file_ops}, .mount = m};
    point(m->disk, &f->inode, i);
    *out = &f->base;
    return true;
}

static bool mount_remove(struct disk *base, const char *text, struct err *e) {
    struct mount *m = mount_of(base);
    if (!alive(m, e))
        return false;
    struct name *n = find_name(m->disk, text);
    if (!n || !n->now)
        return err_sys(e, ENOENT, "removing %s", text);
    if (falls_now(m->disk))
        return fell(e);
    set_name(m->disk, text, NULL, false);
    return true;
}

static bool mount_rename(struct disk *base, const char *from, const char *to, struct err *e) {
    struct mount *m = mount_of(base);
    if (!alive(m, e))
        return false;
    struct name *n = find_name(m->disk, from);
    if (!n || !n->now)
        return err_sys(e, ENOENT, "renaming %s to %s", from, to);
    if (falls_now(m->disk))
        return fell(e);
    set_name(m->disk, to, n->now, true);
    set_name(m->disk, from, NULL, false);
    return true;
}

// Directories are only prefixes of names here; they exist as soon as somebody wants them.
static bool mount_make_dir(struct disk *base, const char *name, struct err *e) {
    (void)name;
    return alive(mount_of(base), e);
}

static bool mount_sync_dir(struct disk *base, const char *name, struct err *e) {
    struct mount *m = mount_of(base);
    (void)name;
    if (!alive(m, e))
        return false;
    if (falls_now(m->disk))
        return fell(e);
    if (seed_chance(m->disk->seed, m->disk->faults.sync_per_mille))
        return err_sys(e, EIO, "syncing a directory");
    settle_changes(m->disk, SIZE_MAX / 2);
    return true;
}

static bool mount_list(struct disk *base, const char *directory, void (*each)(void *arg, const char *entry),
                       void *arg, struct err *e) {
    struct mount *m = mount_of(base);
    size_t n = strcmp(directory, ".") == 0 ? 0 : strlen(directory) + 1;
    if (!alive(m, e))
        return false;
    LIST_EACH(at, &m->disk->names) {
        const struct name *name = LIST_ENTRY(at, struct name, entry);
        bool inside = n == 0 || (strncmp(name->text, directory, n - 1) == 0 && name->text[n - 1] == '/');
        if (name->now && inside && !strchr(name->text + n, '/'))
            each(arg, name->text + n);
    }
    return true;
}

static bool mount_free_bytes(struct disk *base, uint64_t *out, struct err *e) {
    struct mount *m = mount_of(base);
    if (!alive(m, e))
        return false;
    uint64_t capacity = m->disk->faults.capacity;
    *out = m->disk->used < capacity ? capacity - m->disk->used : 0;
    return true;
}

static const struct disk_ops mount_ops = {mount_open,     mount_remove, mount_rename,    mount_make_dir,
                                          mount_sync_dir, mount_list,   mount_free_bytes};

struct disk *sim_disk_mount(struct sim_disk *d) {
    struct mount *m = MEM_NEW(struct mount);
    *m = (struct mount){.base = {&mount_ops}, .disk = d};
    list_append(&d->mounts, &m->entry);
    return &m->base;
}

void sim_disk_unmount(struct disk *mount) {
    list_remove(&mount_of(mount)->entry);
    free(mount_of(mount));
}

void sim_disk_kill(struct disk *mount) { mount_of(mount)->dead = true; }

// --- the disk

struct sim_disk *sim_disk_new(struct seed *seed) {
    struct sim_disk *d = MEM_NEW(struct sim_disk);
    *d = (struct sim_disk){.seed = seed, .faults = {.capacity = UINT64_MAX}};
    list_init(&d->names);
    list_init(&d->changes);
    list_init(&d->mounts);
    return d;
}

void sim_disk_set_faults(struct sim_disk *d, const struct sim_disk_faults *faults) { d->faults = *faults; }

void sim_disk_fall_at(struct sim_disk *d, uint64_t operations, void (*callback)(void *arg), void *arg) {
    d->falls_in = operations;
    d->fell = callback;
    d->fell_arg = arg;
}

static size_t count_changes(const struct sim_disk *d) {
    size_t n = 0;
    LIST_EACH(at, &d->changes) n++;
    return n;
}

// After power comes back memory holds what the platter has.
static void reload(struct sim_disk *d, struct inode *i) {
    settle(d, i, true);
    d->used -= i->now.n;
    bytes_resize(&i->now, 0);
    bytes_resize(&i->now, i->durable.n);
    if (i->durable.n)
        memcpy(i->now.p, i->durable.p, i->durable.n);
    d->used += i->now.n;
}

void sim_disk_crash(struct sim_disk *d) {
    settle_changes(d, (size_t)seed_below(d->seed, count_changes(d) + 1));
    forget_changes(d);
    LIST_EACH(at, &d->names) {
        struct name *n = LIST_ENTRY(at, struct name, entry);
        if (n->durable)
            reload(d, n->durable);
        point(d, &n->now, n->durable);
        drop_name_if_unused(n);
    }
}

bool sim_disk_durable_has(struct sim_disk *d, struct slice needle) {
    LIST_EACH(at, &d->names) {
        const struct name *n = LIST_ENTRY(at, struct name, entry);
        struct slice bytes = n->durable ? slice_of(n->durable->durable.p, n->durable->durable.n) : SLICE_EMPTY;
        if (slice_search(bytes, needle) < bytes.n)
            return true;
    }
    return false;
}

void sim_disk_each(struct sim_disk *d, void (*each)(void *arg, const char *name, struct slice bytes), void *arg) {
    LIST_EACH(at, &d->names) {
        const struct name *n = LIST_ENTRY(at, struct name, entry);
        if (n->now)
            each(arg, n->text, slice_of(n->now->now.p, n->now->now.n));
    }
}

void sim_disk_free(struct sim_disk *d) {
    forget_changes(d);
    LIST_EACH(at, &d->names) {
        struct name *n = LIST_ENTRY(at, struct name, entry);
        point(d, &n->now, NULL);
        point(d, &n->durable, NULL);
        drop_name_if_unused(n);
    }
    assert(d->used == 0);
    free(d);
}
