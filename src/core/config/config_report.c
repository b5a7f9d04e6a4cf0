// config_report: mistakes in the words of people, in the order of the text.
#include "core/config/config_report.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPORT_ARENA = 65536, SHOWN_MAX = 48, TEXT_MAX = 512 };

void config_report_start(struct config_report *r) { *r = (struct config_report){.arena = {.max = REPORT_ARENA}}; }

void config_report_done(struct config_report *r) {
    arena_done(&r->arena);
    free(r->mistakes);
    *r = (struct config_report){0};
}

void config_report_add(struct config_report *r, struct config_place place, const char *format, ...) {
    if (config_report_full(r))
        return;
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->mistakes = mem_grow(r->mistakes, r->n + 1, sizeof *r->mistakes);
    r->mistakes[r->n++] = (struct config_mistake){place, arena_dup(&r->arena, slice_str(text))};
}

struct slice config_report_quote(struct config_report *r, struct slice s) {
    char out[SHOWN_MAX * 4 + 8];
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < s.n && i < SHOWN_MAX; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= ' ' && c < 0x7f)
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, 5, "\\x%02x", c);
    }
    if (s.n > SHOWN_MAX) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n++] = '"';
    return arena_dup(&r->arena, slice_of(out, n));
}

void config_report_word(struct config_report *r, struct config_place place, const char *expected, struct slice found,
                        const char *near) {
    if (config_report_full(r))
        return;
    struct slice quoted = config_report_quote(r, found);
    if (near)
        config_report_add(r, place, "expected %s, found %.*s; did you mean \"%s\"?", expected, SLICE_ARG(quoted), near);
    else
        config_report_add(r, place, "expected %s, found %.*s", expected, SLICE_ARG(quoted));
}

static int compare_places(const void *a, const void *b) {
    const struct config_place *x = &((const struct config_mistake *)a)->place;
    const struct config_place *y = &((const struct config_mistake *)b)->place;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

void config_report_sort(struct config_report *r) {
    if (r->n > 1)
        qsort(r->mistakes, r->n, sizeof *r->mistakes, compare_places);
}
