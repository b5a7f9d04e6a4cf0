// record_file: the bytes of history's segments.
#include "core/history/record_file.h"

#include "base/hash.h"

static const char magic_text[] = "PHhist1\n";
static const struct slice magic = {magic_text, sizeof magic_text - 1};
static const char digits[] = "0123456789abcdef";

bool record_file_begin(struct buf *b, struct wall begun) { return buf_add(b, magic) && pack_i64(b, begun.ms); }

bool record_file_add(struct buf *b, struct slice packed) {
    size_t before = b->n;
    if (pack_u32(b, (uint32_t)packed.n) && pack_u32(b, hash_crc32c(0, packed)) && buf_add(b, packed))
        return true;
    b->n = before;
    return false;
}

bool record_file_open(struct slice *rest, struct wall *begun) {
    if (rest->n < RECORD_FILE_HEADER || !slice_starts(*rest, magic))
        return false;
    struct unpack u = {.rest = slice_from(*rest, magic.n)};
    begun->ms = unpack_i64(&u);
    *rest = u.rest;
    return true;
}

bool record_file_next(struct slice *rest, struct slice *packed) {
    struct unpack u = {.rest = *rest};
    size_t n = unpack_u32(&u);
    uint32_t sum = unpack_u32(&u);
    if (u.bad || n == 0 || n > RECORD_MAX || n > u.rest.n || hash_crc32c(0, slice_upto(u.rest, n)) != sum)
        return false;
    *packed = slice_upto(u.rest, n);
    *rest = slice_from(u.rest, n);
    return true;
}

void record_file_name(uint64_t number, char to[RECORD_FILE_NAME]) {
    for (size_t i = RECORD_FILE_NAME - 1; i-- > 0; number >>= 4)
        to[i] = digits[number & 15];
    to[RECORD_FILE_NAME - 1] = '\0';
}

bool record_file_number(const char *name, uint64_t *out) {
    uint64_t v = 0;
    size_t n = 0;
    for (; name[n]; n++) {
        const char *digit = strchr(digits, name[n]);
        if (!digit || n == RECORD_FILE_NAME - 1)
            return false;
        v = v << 4 | (uint64_t)(digit - digits);
    }
    if (n == RECORD_FILE_NAME - 1)
        *out = v;
    return n == RECORD_FILE_NAME - 1;
}
