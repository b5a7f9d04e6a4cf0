// quoted_printable: the encoder.
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
