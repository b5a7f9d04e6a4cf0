// hash: CRC32C by the processor where it can, else by table; SipHash-2-4.
#include "base/hash.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

static uint64_t load64(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static uint32_t crc_by_table(uint32_t crc, struct slice s) {
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = c & 1 ? (c >> 1) ^ 0x82f63b78 : c >> 1;
            table[i] = c;
        }
    for (size_t i = 0; i < s.n; i++)
        crc = (crc >> 8) ^ table[(crc ^ (uint8_t)s.p[i]) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_by_processor(uint32_t crc, struct slice s) {
    uint64_t c = crc;
    for (; s.n >= 8; s = slice_from(s, 8))
        c = _mm_crc32_u64(c, load64(s.p));
    uint32_t c32 = (uint32_t)c;
    for (; s.n; s = slice_from(s, 1))
        c32 = _mm_crc32_u8(c32, (uint8_t)s.p[0]);
    return c32;
}

static bool processor_has_crc(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
static uint32_t crc_by_processor(uint32_t crc, struct slice s) {
    for (; s.n >= 8; s = slice_from(s, 8))
        crc = __crc32cd(crc, load64(s.p));
    for (; s.n; s = slice_from(s, 1))
        crc = __crc32cb(crc, (uint8_t)s.p[0]);
    return crc;
}

static bool processor_has_crc(void) { return true; }
#else
static uint32_t crc_by_processor(uint32_t crc, struct slice s) { return crc_by_table(crc, s); }
static bool processor_has_crc(void) { return false; }
#endif

uint32_t hash_crc32c(uint32_t crc, struct slice s) {
    crc = ~crc;
    return ~(processor_has_crc() ? crc_by_processor(crc, s) : crc_by_table(crc, s));
}

static uint64_t rotate(uint64_t v, int by) { return (v << by) | (v >> (64 - by)); }

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

uint64_t hash_sip(const struct hash_key *key, struct slice s) {
    uint64_t v[4] = {0x736f6d6570736575 ^ key->k[0], 0x646f72616e646f6d ^ key->k[1], 0x6c7967656e657261 ^ key->k[0],
                     0x7465646279746573 ^ key->k[1]};
    uint64_t last = (uint64_t)s.n << 56;
    for (; s.n >= 8; s = slice_from(s, 8)) {
        uint64_t m = load64(s.p);
        v[3] ^= m;
        sip_round(v);
        sip_round(v);
        v[0] ^= m;
    }
    for (size_t i = 0; i < s.n; i++)
        last |= (uint64_t)(uint8_t)s.p[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
