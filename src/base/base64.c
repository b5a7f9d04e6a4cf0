// base64: three bytes as four characters.
#include "base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Up to three bytes, as a number of 24 bits.
static void add_group(struct buf *out, const char *p, size_t n) {
    uint32_t v = 0;
    char text[4];
    for (size_t i = 0; i < 3; i++)
        v = v << 8 | (i < n ? (uint8_t)p[i] : 0);
    for (size_t i = 0; i < 4; i++)
        text[i] = i <= n ? alphabet[v >> (18 - 6 * i) & 63] : '=';
    buf_add(out, slice_of(text, 4));
}

bool base64_encode(struct buf *out, struct slice bytes) {
    for (size_t i = 0; i < bytes.n; i += 3)
        add_group(out, bytes.p + i, bytes.n - i < 3 ? bytes.n - i : 3);
    return !out->failed;
}

// 0..63, or -1.
static int value_of(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// `n` characters without padding, 2 to 4, as n - 1 bytes; false too when bits that have no byte are set.
static bool decode_group(const char *p, size_t n, char bytes[3]) {
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = i < n ? value_of(p[i]) : 0;
        if (digit < 0)
            return false;
        v = v << 6 | (uint32_t)digit;
    }
    for (size_t i = 0; i < 3; i++)
        bytes[i] = (char)(uint8_t)(v >> (16 - 8 * i));
    return n == 4 || (v & (n == 3 ? 0xffu : 0xffffu)) == 0;
}

bool base64_decode(struct buf *out, struct slice text) {
    size_t before = out->n;
    if (text.n % 4)
        return false;
    for (size_t i = 0; i < text.n; i += 4) {
        char bytes[3];
        bool last = i + 4 == text.n;
        size_t n = !last || text.p[i + 3] != '=' ? 4 : text.p[i + 2] != '=' ? 3 : 2;
        if (!decode_group(text.p + i, n, bytes) || !buf_add(out, slice_of(bytes, n - 1))) {
            out->n = before;
            return false;
        }
    }
    return !out->failed;
}
