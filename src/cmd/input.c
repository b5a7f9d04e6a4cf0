// input: reads to the end.
#include "cmd/input.h"

#include <errno.h>
#include <stdio.h>

enum { STEP = 64 * 1024 };

bool input_read(struct buf *to, struct err *e) {
    for (;;) {
        size_t room = to->max - to->n < STEP ? to->max - to->n : STEP;
        char *p = room ? buf_reserve(to, room) : NULL;
        char extra;
        size_t n = fread(p ? p : &extra, 1, p ? room : 1, stdin);
        if (n && !p)
            return err_set(e, ERR_PERMANENT, "larger than %zu bytes", to->max);
        if (n)
            buf_commit(to, n);
        else
            return !ferror(stdin) || err_sys(e, errno, "standard input");
    }
}

bool input_with_crlf(struct slice text, struct buf *out) {
    struct slice one;
    while (text.n) {
        bool ended = slice_cut(text, '\n', &one, &text);
        bool cr = slice_ends(one, SLICE("\r"));
        if (!buf_add(out, one) || (ended && !cr && !buf_add_char(out, '\r')) || (ended && !buf_add_char(out, '\n')))
            return false;
    }
    return true;
}
