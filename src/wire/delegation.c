// delegation: lines out, lines in.
#include "wire/delegation.h"

bool delegation_put(struct buf *b, struct slice name, struct slice value) {
    buf_add(b, name);
    buf_add_char(b, '=');
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        buf_add_char(b, c < ' ' || c == 0x7f ? '?' : value.p[i]);
    }
    return buf_add_char(b, '\n');
}

bool delegation_end(struct buf *b) { return buf_add_char(b, '\n'); }

static struct slice without_cr(struct slice line) {
    line.n -= line.n && line.p[line.n - 1] == '\r';
    return line;
}

enum delegation_got delegation_take(struct slice in, struct slice *action, size_t *used) {
    struct slice line, name, value, rest, found = SLICE_EMPTY;
    struct slice known = slice_upto(in, DELEGATION_ANSWER_MAX);
    bool has = false;
    for (size_t at = 0; slice_cut(slice_from(known, at), '\n', &line, &rest);) {
        at += line.n + 1;
        line = without_cr(line);
        if (line.n == 0) {
            *action = found;
            *used = at;
            return has ? DELEGATION_WHOLE : DELEGATION_BAD;
        }
        if (!slice_cut(line, '=', &name, &value))
            return DELEGATION_BAD;
        if (slice_eq(name, SLICE("action")) && !has) {
            found = slice_trim(value);
            has = true;
        }
    }
    return in.n >= DELEGATION_ANSWER_MAX ? DELEGATION_BAD : DELEGATION_MORE;
}
