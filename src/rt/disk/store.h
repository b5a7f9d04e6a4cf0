// store: small values by key, kept on disk: what may be lost for a second but not for good. For one
// process and one thread.
//
//     put, remove    within the present batch; seen by get and each at once
//     commit         the batch is on disk, all or nothing. A kill before it loses the batch, never what was there
//
// A value may be gone after a crash of the machine by one batch more than was committed (LMDB without a sync of its
// meta page); what is there is whole. Keys have 1 to STORE_KEY_MAX bytes, values at most STORE_VALUE_MAX.
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { STORE_KEY_MAX = 511, STORE_VALUE_MAX = 64 * 1024 };

struct store {
    const struct store_ops *ops;
};

struct store_ops {
    bool (*get)(struct store *s, struct slice key, struct buf *value, bool *found, struct err *e);
    bool (*put)(struct store *s, struct slice key, struct slice value, struct err *e);
    bool (*remove)(struct store *s, struct slice key, struct err *e);
    bool (*each)(struct store *s, struct slice prefix, bool (*each)(void *arg, struct slice key, struct slice value),
                 void *arg, struct err *e);
    bool (*commit)(struct store *s, struct err *e);
    void (*free)(struct store *s);
};

// Adds the value to `value`; false in `*found` when there is none.
MUST_CHECK bool store_get(struct store *s, struct slice key, struct buf *value, bool *found, struct err *e);
MUST_CHECK bool store_put(struct store *s, struct slice key, struct slice value, struct err *e);
MUST_CHECK bool store_remove(struct store *s, struct slice key, struct err *e); // none is success
// In the order of the keys, until `each` gives false. The store may not be changed meanwhile.
MUST_CHECK bool store_each(struct store *s, struct slice prefix,
                           bool (*each)(void *arg, struct slice key, struct slice value), void *arg, struct err *e);
// After a failure the batch is gone.
MUST_CHECK bool store_commit(struct store *s, struct err *e);
void store_free(struct store *s); // takes NULL; what was not committed is gone

// In memory only: for tests, and for when the disk is not to be had.
struct store *store_memory_new(void);

// LMDB files in `directory` (absolute, made if need be), for at most `size` bytes. One process at a time: e->sys is
// EWOULDBLOCK while another has it. Files that can't be read, or in reading which two starts died, are moved aside
// (data.mdb.damaged, one generation) and begun anew: then `*damaged` says why, else it is empty.
struct store *store_lmdb_new(const char *directory, size_t size, char damaged[ERR_TEXT], struct err *e);

// Everything was read at the start, without dying of it.
void store_lmdb_proven(struct store *s);
