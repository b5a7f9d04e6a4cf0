// pack: little-endian integers and counted bytes, written and read.
#include "base/pack.h"

#include <assert.h>

static void encode(char *to, uint64_t v, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        to[i] = (char)(uint8_t)(v >> (8 * i));
}

static bool put(struct buf *b, uint64_t v, size_t bytes) {
    char *to = buf_reserve(b, bytes);
    if (!to)
        return false;
    encode(to, v, bytes);
    buf_commit(b, bytes);
    return true;
}

bool pack_u8(struct buf *b, uint8_t v) { return put(b, v, 1); }
bool pack_u16(struct buf *b, uint16_t v) { return put(b, v, 2); }
bool pack_u32(struct buf *b, uint32_t v) { return put(b, v, 4); }
bool pack_u64(struct buf *b, uint64_t v) { return put(b, v, 8); }
bool pack_i64(struct buf *b, int64_t v) { return put(b, (uint64_t)v, 8); }

bool pack_slice(struct buf *b, struct slice s) {
    if (s.n > UINT32_MAX) {
        b->failed = true;
        return false;
    }
    return pack_u32(b, (uint32_t)s.n) && buf_add(b, s);
}

void pack_patch_u32(struct buf *b, size_t at, uint32_t v) {
    assert(at + 4 <= b->n);
    encode(b->p + at, v, 4);
}

static uint64_t get(struct unpack *u, size_t bytes) {
    if (u->bad || u->rest.n < bytes) {
        u->bad = true;
        return 0;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)(uint8_t)u->rest.p[i] << (8 * i);
    u->rest = slice_from(u->rest, bytes);
    return v;
}

uint8_t unpack_u8(struct unpack *u) { return (uint8_t)get(u, 1); }
uint16_t unpack_u16(struct unpack *u) { return (uint16_t)get(u, 2); }
uint32_t unpack_u32(struct unpack *u) { return (uint32_t)get(u, 4); }
uint64_t unpack_u64(struct unpack *u) { return get(u, 8); }
int64_t unpack_i64(struct unpack *u) { return (int64_t)get(u, 8); }

struct slice unpack_slice(struct unpack *u) {
    size_t n = unpack_u32(u);
    if (u->bad || n > u->rest.n) {
        u->bad = true;
        return SLICE_EMPTY;
    }
    struct slice s = slice_upto(u->rest, n);
    u->rest = slice_from(u->rest, n);
    return s;
}
