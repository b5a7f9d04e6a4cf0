// dsn_text: cleaning and folding.
#include "mail/dsn/dsn_text.h"

#include "base/printable.h"

enum { FOLD = 78, WORD_MAX = 900, FILL = 72 };

bool dsn_text_add(struct buf *b, struct slice text, size_t max, bool utf8) {
    for (struct slice rest = slice_upto(text, max); rest.n;) {
        uint32_t code = 0;
        size_t n = printable_decode(rest, &code);
        if (n && printable_safe(code) && (utf8 || code < 128))
            buf_add(b, slice_upto(rest, n));
        else
            buf_add_char(b, n && (code == '\r' || code == '\n' || code == '\t') ? ' ' : '?');
        rest = slice_from(rest, n ? n : 1);
    }
    return !b->failed;
}

// The next word of `*rest`, spaces before it skipped; not longer than WORD_MAX, nor cut inside a character.
static struct slice next_word(struct slice *rest) {
    while (rest->n && rest->p[0] == ' ')
        *rest = slice_from(*rest, 1);
    size_t n = slice_find(*rest, ' ');
    if (n > WORD_MAX)
        for (n = WORD_MAX; n > WORD_MAX - 4 && (rest->p[n] & 0xC0) == 0x80; n--)
            ;
    struct slice word = slice_upto(*rest, n);
    *rest = slice_from(*rest, n);
    return word;
}

bool dsn_text_field(struct buf *b, const char *name, struct slice value) {
    size_t line = strlen(name) + 1;
    buf_addf(b, "%s:", name);
    for (struct slice word = next_word(&value); word.n; word = next_word(&value)) {
        if (line + 1 + word.n > FOLD && line > strlen(name) + 1) {
            buf_add_str(b, "\r\n");
            line = 0;
        }
        buf_add_char(b, ' ');
        buf_add(b, word);
        line += 1 + word.n;
    }
    return buf_add_str(b, "\r\n");
}

bool dsn_text_paragraph(struct buf *b, const char *indent, struct slice text) {
    size_t line = 0;
    for (struct slice word = next_word(&text); word.n; word = next_word(&text)) {
        if (line && line + 1 + word.n > FILL) {
            buf_add_str(b, "\r\n");
            line = 0;
        }
        buf_add_str(b, line ? " " : indent);
        buf_add(b, word);
        line += word.n + (line ? 1 : strlen(indent));
    }
    return buf_add_str(b, "\r\n");
}

static size_t line_end(struct slice text) {
    size_t n = 0;
    while (n < text.n && text.p[n] != '\r' && text.p[n] != '\n')
        n++;
    return n;
}

static void add_line(struct buf *b, struct slice line) {
    for (size_t i; (i = slice_find(line, '\0')) < line.n; line = slice_from(line, i + 1)) {
        buf_add(b, slice_upto(line, i));
        buf_add_char(b, '?');
    }
    buf_add(b, line);
    buf_add_str(b, "\r\n");
}

bool dsn_text_header(struct buf *b, struct slice header) {
    for (bool first = true; header.n; first = false) {
        size_t n = line_end(header);
        if (n == 0 || (n == header.n && !first))
            break;
        add_line(b, slice_upto(header, n));
        header = slice_from(header, n);
        header = slice_from(header, slice_starts(header, SLICE("\r\n")) ? 2 : 1);
    }
    return !b->failed;
}
