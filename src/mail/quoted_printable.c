// quoted_printable: the encoder, and a decoder that takes what others make of it.
#include "mail/quoted_printable.h"

enum { LINE_MAX_7BIT = 998, LINE_MAX_QP = 76 };

bool quoted_printable_needless(struct slice text) {
    size_t line = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n') {
            line = 0;
            i++;
        } else if (c == '\0' || c == '\r' || c == '\n' || (c & 0x80) || ++line > LINE_MAX_7BIT) {
            return false;
        }
    }
    return true;
}

static bool at_line_end(struct slice text, size_t i) {
    return i >= text.n || (text.p[i] == '\r' && i + 1 < text.n && text.p[i + 1] == '\n');
}

bool quoted_printable_add(struct buf *b, struct slice text) {
    static const char hex[] = "0123456789ABCDEF";
    size_t line = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (at_line_end(text, i)) {
            buf_add_str(b, "\r\n");
            line = 0;
            i++;
            continue;
        }
        // A space before the line's end would be stripped on the way; a leading "." and "From " are left to SMTP.
        bool plain = (c > ' ' && c < 127 && c != '=') || ((c == ' ' || c == '\t') && !at_line_end(text, i + 1));
        size_t width = plain ? 1 : 3;
        if (line + width > LINE_MAX_QP - 1) {
            buf_add_str(b, "=\r\n");
            line = 0;
        }
        if (plain)
            buf_add_char(b, c);
        else
            buf_add(b, slice_of((char[]){'=', hex[(uint8_t)c >> 4], hex[c & 15]}, 3));
        line += width;
    }
    return !b->failed;
}

static int digit(char c) {
    c = ascii_lower(c);
    return ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Bytes of the code or of the soft line end that begin here; 0: neither.
static size_t decode_one(struct slice s, struct buf *b) {
    size_t n = 1;
    if (s.n >= 3 && digit(s.p[1]) >= 0 && digit(s.p[2]) >= 0)
        return buf_add_char(b, (char)(digit(s.p[1]) * 16 + digit(s.p[2]))) ? 3 : 0;
    while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t' || s.p[n] == '\r'))
        n++;
    return n == s.n ? n : s.p[n] == '\n' ? n + 1 : 0;
}

// Blanks here that end a line were added on the way.
static size_t count_trailing(struct slice s) {
    size_t n = 0;
    while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
        n++;
    bool at_end = n == s.n || s.p[n] == '\n' || (s.p[n] == '\r' && n + 1 < s.n && s.p[n + 1] == '\n');
    return at_end ? n : 0;
}

bool quoted_printable_decode(struct buf *b, struct slice text) {
    while (text.n && !b->failed) {
        size_t n = text.p[0] == '=' ? decode_one(text, b) : count_trailing(text);
        if (n == 0)
            buf_add_char(b, text.p[0]);
        text = slice_from(text, n ? n : 1);
    }
    return !b->failed;
}
