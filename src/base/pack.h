// pack: values as little-endian bytes, and back through a cursor whose error sticks: read every field, look once.
#pragma once

#include "base/buf.h"

#include <stdint.h>

bool pack_u8(struct buf *b, uint8_t v);
bool pack_u16(struct buf *b, uint16_t v);
bool pack_u32(struct buf *b, uint32_t v);
bool pack_u64(struct buf *b, uint64_t v);
bool pack_i64(struct buf *b, int64_t v);
bool pack_slice(struct buf *b, struct slice s); // u32 length, then the bytes

// Overwrites four bytes that pack_u32 wrote at `at` before.
void pack_patch_u32(struct buf *b, size_t at, uint32_t v);

// `bad` once set stays; every read after it gives zero or empty.
struct unpack {
    struct slice rest;
    bool bad;
};

uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
int64_t unpack_i64(struct unpack *u);
struct slice unpack_slice(struct unpack *u); // a view into the input

// Whether everything was read and nothing was bad.
static inline bool unpack_end(const struct unpack *u) { return !u->bad && u->rest.n == 0; }
