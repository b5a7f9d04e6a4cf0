// hash: CRC32C for damage on disk, SipHash-2-4 for tables whose keys a peer chooses.
#pragma once

#include "base/slice.h"

#include <stdint.h>

// CRC32C (Castagnoli) of `s`, going on from `crc`; start with 0.
uint32_t hash_crc32c(uint32_t crc, struct slice s);

struct hash_key {
    uint64_t k[2];
};

uint64_t hash_sip(const struct hash_key *key, struct slice s);
