// utf8: validation, fast where the text is ASCII.
#include "base/utf8.h"

#include "base/printable.h"

#include <stdint.h>

// How many bytes at the start are ASCII, by words where it can.
static size_t ascii_run(struct slice s) {
    size_t i = 0;
    uint64_t word;
    for (; i + sizeof word <= s.n; i += sizeof word) {
        memcpy(&word, s.p + i, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < s.n && (uint8_t)s.p[i] < 0x80)
        i++;
    return i;
}

bool utf8_ascii(struct slice s) { return ascii_run(s) == s.n; }

bool utf8_valid(struct slice s) {
    for (;;) {
        s = slice_from(s, ascii_run(s));
        if (s.n == 0)
            return true;
        uint32_t code;
        size_t n = printable_decode(s, &code);
        if (n == 0)
            return false;
        s = slice_from(s, n);
    }
}

struct slice utf8_upto(struct slice s, size_t n) {
    if (s.n <= n)
        return s;
    while (n > 0 && ((uint8_t)s.p[n] & 0xc0) == 0x80)
        n--;
    return slice_upto(s, n);
}
