// script: reading, matching, shorthands.
#include "script.h"

#include "base/num.h"

#include <stdio.h>

enum { REPEAT_MAX = 1 << 26 };

bool script_read(const char *path, struct buf *out) {
    FILE *f = fopen(path, "rb");
    char piece[4096];
    size_t n;
    if (!f)
        return false;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_add(out, slice_of(piece, n));
    fclose(f);
    return true;
}

struct slice script_line(struct slice *rest) {
    struct slice line;
    slice_cut(*rest, '\n', &line, rest);
    return line;
}

bool script_matches(struct slice got, struct slice want) {
    if (slice_ends(want, SLICE("...")))
        return slice_starts(got, slice_upto(want, want.n - 3));
    return slice_eq(got, want);
}

// "{x*1000}" at the start of `text`: its length, or 0.
static size_t repetition(struct slice text, struct slice *what, uint64_t *times) {
    size_t close = slice_find(text, '}');
    struct slice inside = slice_from(slice_upto(text, close), 1);
    size_t star = slice_rfind(inside, '*');
    if (close == text.n || star == inside.n || !num_u64(slice_from(inside, star + 1), REPEAT_MAX, times))
        return 0;
    *what = slice_upto(inside, star);
    return close + 1;
}

// Twice as much each time: scripts have megabytes of it, and are played hundreds of times.
static void add_times(struct buf *out, struct slice what, uint64_t times) {
    size_t all = what.n * (size_t)times;
    char *to = buf_reserve(out, all);
    if (!to || !all)
        return;
    memcpy(to, what.p, what.n);
    for (size_t n = what.n; n < all; n *= 2)
        memcpy(to + n, to, n < all - n ? n : all - n);
    buf_commit(out, all);
}

void script_add_repeated(struct buf *out, struct slice text) {
    while (text.n) {
        struct slice what;
        uint64_t times;
        size_t n = text.p[0] == '{' ? repetition(text, &what, &times) : 0;
        if (n) {
            add_times(out, what, times);
        } else {
            n = 1 + slice_find(slice_from(text, 1), '{');
            buf_add(out, slice_upto(text, n));
        }
        text = slice_from(text, n);
    }
}

static int hex_digit(char c) {
    return ascii_digit(c) ? c - '0' : ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f' ? ascii_lower(c) - 'a' + 10 : 0;
}

// One escape at the start of `text`; its length.
static size_t add_escape(struct buf *out, struct slice text) {
    char c = text.n > 1 ? text.p[1] : '\\';
    if (c == 'x' && text.n > 3) {
        buf_add_char(out, (char)(hex_digit(text.p[2]) * 16 + hex_digit(text.p[3])));
        return 4;
    }
    buf_add_char(out, c == 'r' ? '\r' : c == 'n' ? '\n' : c == '0' ? '\0' : c);
    return 2;
}

void script_add_escaped(struct buf *out, struct slice text) {
    while (text.n) {
        size_t n = slice_find(text, '\\');
        buf_add(out, slice_upto(text, n));
        text = slice_from(text, n);
        if (text.n)
            text = slice_from(text, add_escape(out, text));
    }
}

static bool run_file(const char *path, void (*run)(const char *path, struct slice text, char failure[SCRIPT_FAILURE])) {
    BUF_AUTO struct buf text = {.max = 1 << 20};
    char failure[SCRIPT_FAILURE] = "";
    if (script_read(path, &text))
        run(path, buf_slice(&text), failure);
    else
        snprintf(failure, sizeof failure, "can't be read");
    printf("%s - %s\n", failure[0] ? "not ok" : "ok", path);
    if (failure[0])
        printf("# %s\n", failure);
    fflush(stdout);
    return !failure[0];
}

int script_main(int argc, char **argv, void (*run)(const char *path, struct slice text, char failure[SCRIPT_FAILURE])) {
    int failed = 0;
    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++)
        failed += !run_file(argv[i], run);
    return failed ? 1 : 0;
}
