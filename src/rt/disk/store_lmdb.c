// store_lmdb: a store in LMDB. Without LMDB's own lock file, whose semaphores the jail doesn't allow: one process at a
// time has it, by flock(2) on a file beside it.
//
// LMDB reads pages through a mapping and believes them. So a file that was cut is not opened (a read behind its end is
// SIGBUS), and one in reading which the last starts died is not read again: each adds a byte to the file `opening`,
// which the first that survives removes. One death may be somebody's kill.
#include "rt/disk/store.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEATHS = 3 }; // with this one

struct store_lmdb {
    struct store store;
    int directory, lock;
    char *path;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *batch; // or NULL
};

static const char data_name[] = "data.mdb", aside_name[] = "data.mdb.damaged", opening_name[] = "opening";

static struct store_lmdb *lmdb_of(struct store *s) { return (struct store_lmdb *)(void *)s; }

static bool failed(int rc, struct err *e, const char *doing) {
    if (rc > 0)
        return err_sys(e, rc, "%s", doing);
    return err_set(e, ERR_TEMPORARY, "%s: %s", doing, mdb_strerror(rc));
}

static MDB_val val(struct slice s) { return (MDB_val){.mv_size = s.n, .mv_data = (void *)(uintptr_t)s.p}; }
static struct slice slice_val(const MDB_val *v) { return slice_of(v->mv_data, v->mv_size); }

static void drop_batch(struct store_lmdb *l) {
    if (l->batch)
        mdb_txn_abort(l->batch);
    l->batch = NULL;
}

static bool begin(struct store_lmdb *l, struct err *e) {
    int rc = l->batch ? 0 : mdb_txn_begin(l->env, NULL, 0, &l->batch);
    return rc == 0 || failed(rc, e, "beginning a batch of the store");
}

static bool get(struct store *s, struct slice key, struct buf *value, bool *found, struct err *e) {
    struct store_lmdb *l = lmdb_of(s);
    MDB_val k = val(key), v;
    if (!begin(l, e))
        return false;
    int rc = mdb_get(l->batch, l->dbi, &k, &v);
    if (rc && rc != MDB_NOTFOUND)
        return failed(rc, e, "reading the store");
    if (!rc && !buf_add(value, slice_val(&v)))
        return err_set(e, ERR_TEMPORARY, "a value that is too large");
    *found = rc == 0;
    return true;
}

static bool put(struct store *s, struct slice key, struct slice value, struct err *e) {
    struct store_lmdb *l = lmdb_of(s);
    MDB_val k = val(key), v = val(value);
    if (!begin(l, e))
        return false;
    int rc = mdb_put(l->batch, l->dbi, &k, &v, 0);
    if (!rc)
        return true;
    drop_batch(l); // after MDB_MAP_FULL nothing else may be done with it
    return failed(rc, e, "writing to the store");
}

static bool forget(struct store *s, struct slice key, struct err *e) {
    struct store_lmdb *l = lmdb_of(s);
    MDB_val k = val(key);
    if (!begin(l, e))
        return false;
    int rc = mdb_del(l->batch, l->dbi, &k, NULL);
    if (!rc || rc == MDB_NOTFOUND)
        return true;
    drop_batch(l);
    return failed(rc, e, "removing from the store");
}

static bool walk(struct store *s, struct slice prefix, bool (*each)(void *arg, struct slice key, struct slice value),
                 void *arg, struct err *e) {
    struct store_lmdb *l = lmdb_of(s);
    MDB_cursor *cursor;
    MDB_val k = val(prefix), v;
    if (!begin(l, e))
        return false;
    int rc = mdb_cursor_open(l->batch, l->dbi, &cursor);
    if (rc)
        return failed(rc, e, "reading the store");
    rc = mdb_cursor_get(cursor, &k, &v, prefix.n ? MDB_SET_RANGE : MDB_FIRST);
    while (!rc && slice_starts(slice_val(&k), prefix) && each(arg, slice_val(&k), slice_val(&v)))
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    mdb_cursor_close(cursor);
    return !rc || rc == MDB_NOTFOUND || failed(rc, e, "reading the store");
}

static bool commit(struct store *s, struct err *e) {
    struct store_lmdb *l = lmdb_of(s);
    MDB_txn *batch = l->batch;
    l->batch = NULL;
    int rc = batch ? mdb_txn_commit(batch) : 0;
    return rc == 0 || failed(rc, e, "committing to the store");
}

static void close_env(struct store_lmdb *l) {
    drop_batch(l);
    if (l->env)
        mdb_env_close(l->env);
    l->env = NULL;
}

static void end(struct store *s) {
    struct store_lmdb *l = lmdb_of(s);
    close_env(l);
    if (l->lock >= 0)
        close(l->lock);
    if (l->directory >= 0)
        close(l->directory);
    free(l->path);
    free(l);
}

// --- opening

// The pages that it says it has, it has.
static bool is_whole(struct store_lmdb *l, struct err *e) {
    MDB_envinfo info;
    MDB_stat stat_of;
    struct stat st;
    int rc = mdb_env_info(l->env, &info);
    rc = rc ? rc : mdb_env_stat(l->env, &stat_of);
    if (rc)
        return failed(rc, e, "looking at the store");
    if (fstatat(l->directory, data_name, &st, 0) != 0)
        return err_sys(e, errno, "looking at the store");
    uint64_t wanted = (info.me_last_pgno + 1) * (uint64_t)stat_of.ms_psize;
    return (uint64_t)st.st_size >= wanted || info.me_last_txnid == 0 ||
           err_set(e, ERR_TEMPORARY, "the store's file has %llu bytes of %llu", (unsigned long long)st.st_size,
                   (unsigned long long)wanted);
}

static bool open_dbi(struct store_lmdb *l, struct err *e) {
    int rc = begin(l, e) ? 0 : -1;
    if (rc)
        return false;
    rc = mdb_dbi_open(l->batch, NULL, 0, &l->dbi);
    if (rc)
        return failed(rc, e, "opening the store");
    return commit(&l->store, e);
}

static bool open_env(struct store_lmdb *l, size_t size, struct err *e) {
    int rc = mdb_env_create(&l->env);
    rc = rc ? rc : mdb_env_set_mapsize(l->env, size);
    rc = rc ? rc : mdb_env_open(l->env, l->path, MDB_NOLOCK | MDB_NOMETASYNC | MDB_NOTLS, 0600);
    if ((!rc || failed(rc, e, "opening the store")) && is_whole(l, e) && open_dbi(l, e))
        return true;
    close_env(l);
    return false;
}

static bool mark_opening(struct store_lmdb *l, struct err *e) {
    int fd = openat(l->directory, opening_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, "\n", 1) == 1;
    if (!ok)
        err_sys(e, errno, "writing to the store's directory");
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool died_of_it(struct store_lmdb *l) {
    struct stat st;
    return fstatat(l->directory, opening_name, &st, 0) == 0 && st.st_size >= DEATHS;
}

static bool take_directory(struct store_lmdb *l, const char *path, struct err *e) {
    (void)mkdir(path, 0700); // there, as a rule
    l->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    l->lock = l->directory < 0 ? -1 : openat(l->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock < 0)
        return err_sys(e, errno, "opening %s", path);
    return flock(l->lock, LOCK_EX | LOCK_NB) == 0 || err_sys(e, errno, "locking %s", path);
}

static bool put_aside(struct store_lmdb *l, struct err *e) {
    return renameat(l->directory, data_name, l->directory, aside_name) == 0 || errno == ENOENT ||
           err_sys(e, errno, "moving the damaged store aside");
}

// Damage is not the disk's refusal: that leaves the file where it is.
static bool is_damage(const struct err *e) { return e->sys == 0 || e->sys == EINVAL; }

static bool open_or_renew(struct store_lmdb *l, size_t size, char damaged[ERR_TEXT], struct err *e) {
    struct err why = {0};
    if (!mark_opening(l, e))
        return false;
    if (died_of_it(l))
        err_set(&why, ERR_TEMPORARY, "the last starts died while it was read");
    else if (open_env(l, size, &why))
        return true;
    if (!is_damage(&why)) {
        *e = why;
        return false;
    }
    snprintf(damaged, ERR_TEXT, "%s", why.text);
    return put_aside(l, e) && open_env(l, size, e);
}

struct store *store_lmdb_new(const char *directory, size_t size, char damaged[ERR_TEXT], struct err *e) {
    static const struct store_ops ops = {
        .get = get, .put = put, .remove = forget, .each = walk, .commit = commit, .free = end};
    struct store_lmdb *l = MEM_NEW(struct store_lmdb);
    *l = (struct store_lmdb){.store = {.ops = &ops}, .directory = -1, .lock = -1};
    l->path = mem_new(strlen(directory) + 1, 1);
    memcpy(l->path, directory, strlen(directory));
    damaged[0] = 0;
    if (take_directory(l, directory, e) && open_or_renew(l, size, damaged, e))
        return &l->store;
    end(&l->store);
    return NULL;
}

void store_lmdb_proven(struct store *s) { (void)unlinkat(lmdb_of(s)->directory, opening_name, 0); }
