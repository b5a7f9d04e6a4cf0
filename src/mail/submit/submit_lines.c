// submit_lines: whole lines are passed in runs; only behind the 798th byte of a line a closer look begins.
#include "mail/submit/submit_lines.h"

#include "base/utf8.h"

// --- UTF-8 (RFC 3629 4), a byte at a time

static void expect(struct submit_lines *l, uint8_t c) {
    l->low = 0x80;
    l->high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
        l->want = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        l->want = 2;
        l->low = c == 0xe0 ? 0xa0 : 0x80;
        l->high = c == 0xed ? 0x9f : 0xbf;
    } else if (c >= 0xf0 && c <= 0xf4) {
        l->want = 3;
        l->low = c == 0xf0 ? 0x90 : 0x80;
        l->high = c == 0xf4 ? 0x8f : 0xbf;
    } else {
        l->not_utf8 = true;
    }
}

static void look_at_byte(struct submit_lines *l, uint8_t c) {
    if (l->want == 0) {
        if (c >= 0x80)
            expect(l, c);
        return;
    }
    l->not_utf8 |= c < l->low || c > l->high;
    l->want--;
    l->low = 0x80;
    l->high = 0xbf;
}

static void look_at(struct submit_lines *l, struct slice in) {
    if (l->not_utf8 || (l->want == 0 && utf8_ascii(in)))
        return;
    l->eight = true;
    for (size_t i = 0; i < in.n && !l->not_utf8; i++)
        look_at_byte(l, (uint8_t)in.p[i]);
}

// --- lines

// How much of `in` can be passed at once: whole lines that are short enough, and the next one up to
// SUBMIT_LINES_PASSED.
static size_t passable(struct submit_lines *l, struct slice in) {
    size_t run = 0;
    while (run < in.n) {
        struct slice rest = slice_from(in, run);
        size_t n = slice_find(rest, '\n'), line = l->line + n;
        if (n == rest.n || line > SUBMIT_LINE_MAX + (size_t)(n > 0 && rest.p[n - 1] == '\r')) {
            size_t room = SUBMIT_LINES_PASSED - l->line, take = rest.n < room ? rest.n : room;
            l->line += take;
            return run + take;
        }
        l->line = 0;
        run += n + 1;
    }
    return run;
}

static void flush(struct submit_lines *l, struct buf *out) {
    buf_add(out, slice_of(l->held, l->held_n));
    l->held_n = 0;
}

static size_t find_break(const struct submit_lines *l) {
    size_t at = SUBMIT_LINES_LOOK;
    for (size_t i = SUBMIT_LINES_LOOK; i > 0; i--)
        if (l->held[i - 1] == ' ' || l->held[i - 1] == '\t')
            return i;
    while (at > SUBMIT_LINES_LOOK - 3 && ((uint8_t)l->held[at] & 0xc0) == 0x80)
        at--;
    return ((uint8_t)l->held[at] & 0xc0) == 0x80 ? SUBMIT_LINES_LOOK : at;
}

static void break_line(struct submit_lines *l, struct buf *out) {
    size_t at = find_break(l);
    buf_add(out, slice_of(l->held, at));
    buf_add_str(out, "\r\n");
    buf_add(out, slice_of(l->held + at, l->held_n - at));
    l->line = l->held_n - at;
    l->held_n = 0;
}

// A byte behind the first SUBMIT_LINES_PASSED of a line.
static void hold(struct submit_lines *l, char c, struct buf *out) {
    l->held[l->held_n++] = c;
    l->line++;
    if (c == '\n') {
        flush(l, out);
        l->line = 0;
    } else if (l->line > SUBMIT_LINE_MAX && !(c == '\r' && l->line == SUBMIT_LINE_MAX + 1)) {
        break_line(l, out);
    }
}

void submit_lines_feed(struct submit_lines *l, struct slice in, struct buf *out) {
    look_at(l, in);
    while (in.n) {
        if (l->line < SUBMIT_LINES_PASSED) {
            size_t run = passable(l, in);
            buf_add(out, slice_upto(in, run));
            in = slice_from(in, run);
        } else {
            hold(l, in.p[0], out);
            in = slice_from(in, 1);
        }
    }
}

void submit_lines_end(struct submit_lines *l, struct buf *out) {
    flush(l, out);
    l->not_utf8 |= l->want > 0;
}
