// xtext: bytes back.
#include "wire/xtext.h"

#include "base/utf8.h"

static int hex(char c) {
    c = ascii_lower(c);
    return ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool xtext_decode(struct slice text, struct buf *out) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '+') {
            int high = text.n - i > 2 ? hex(text.p[i + 1]) : -1, low = text.n - i > 2 ? hex(text.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if ((uint8_t)c < ' ' || c == 0x7f)
            return false;
        buf_add_char(out, c);
    }
    return !out->failed && utf8_valid(buf_slice(out));
}
