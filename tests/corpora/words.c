// words: cut and decoded.
#include "words.h"

static int hex(char c) {
    c = ascii_lower(c);
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

// In its place, since it only gets shorter.
static struct slice decode(char *p, size_t n) {
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        bool escaped = p[i] == '%' && i + 2 < n;
        int code = escaped ? hex(p[i + 1]) << 4 | hex(p[i + 2]) : p[i];
        p[to++] = (char)code;
        i += escaped ? 2 : 0;
    }
    return slice_of(p, to);
}

void words_cut(char *line, struct slice *words, size_t max) {
    for (size_t i = 0; i < max; i++) {
        size_t n = line ? strcspn(line, "\t\n") : 0;
        char *next = line && line[n] == '\t' ? line + n + 1 : NULL;
        words[i] = line ? decode(line, n) : SLICE_EMPTY;
        line = next;
    }
}
