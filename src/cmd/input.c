// input: reads to the end.
#include "cmd/input.h"

#include <errno.h>
#include <stdio.h>

enum { STEP = 64 * 1024 };

static bool read_all(FILE *from, const char *name, struct buf *to, struct err *e) {
    for (;;) {
        size_t room = to->max - to->n < STEP ? to->max - to->n : STEP;
        char *p = room ? buf_reserve(to, room) : NULL;
        char extra;
        size_t n = fread(p ? p : &extra, 1, p ? room : 1, from);
        if (n && !p)
            return err_set(e, ERR_PERMANENT, "%s: larger than %zu bytes", name, to->max);
        if (n)
            buf_commit(to, n);
        else
            return !ferror(from) || err_sys(e, errno, "%s", name);
    }
}

bool input_read(struct buf *to, struct err *e) { return read_all(stdin, "standard input", to, e); }

bool input_read_file(const char *path, struct buf *to, struct err *e) {
    FILE *f = fopen(path, "re");
    if (!f)
        return err_sys(e, errno, "%s", path);
    bool ok = read_all(f, path, to, e);
    fclose(f);
    return ok;
}

// Without the separator of an mbox (RFC 4155), which is no field; "From : ann@example.org" is one.
static struct slice without_separator(struct slice text) {
    struct slice line, rest;
    slice_cut(text, '\n', &line, &rest);
    bool separator = slice_starts(line, SLICE("From ")) && !slice_starts(slice_trim(slice_from(line, 5)), SLICE(":"));
    return separator ? rest : text;
}

bool input_with_crlf(struct slice text, struct buf *out) {
    struct slice one;
    text = without_separator(text);
    while (text.n) {
        bool ended = slice_cut(text, '\n', &one, &text);
        bool cr = slice_ends(one, SLICE("\r"));
        if (!buf_add(out, one) || (ended && !cr && !buf_add_char(out, '\r')) || (ended && !buf_add_char(out, '\n')))
            return false;
    }
    return true;
}
