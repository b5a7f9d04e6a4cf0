// password_edit: line by line.
#include "core/auth/password_edit.h"

bool password_is_of(const struct password_record *r, struct slice user, const struct slice *name) {
    struct arena a ARENA_AUTO = {.max = 4096};
    struct slice same;
    return sasl_user(&a, r->user, &same) && slice_eq(same, user) && (!name || slice_ieq(r->name, *name));
}

// Takes the next line with its end off `text`; whether it is that user's.
static bool next_is(struct slice *text, struct slice user, const struct slice *name, struct slice *line) {
    struct slice all = *text, content;
    struct password_record r;
    slice_cut(all, '\n', &content, text);
    *line = slice_upto(all, all.n - text->n);
    content = slice_trim(content);
    return content.n && content.p[0] != '#' && password_parse(content, &r, NULL) && password_is_of(&r, user, name);
}

static void add_line(struct buf *out, struct slice line) {
    if (out->n && out->p[out->n - 1] != '\n')
        buf_add_char(out, '\n');
    buf_add(out, line);
}

// Where a new line goes, counted in bytes of the text; `*own`: it replaces the one that begins there.
static size_t place_of(struct slice text, const struct password_record *record, bool *own) {
    struct slice rest = text, line;
    size_t behind = text.n;
    while (rest.n) {
        struct slice before = rest, again = rest;
        *own = next_is(&again, record->user, &record->name, &line);
        if (*own)
            return text.n - before.n;
        if (next_is(&rest, record->user, NULL, &line))
            behind = text.n - rest.n;
    }
    *own = false;
    return behind;
}

bool password_edit_set(struct slice text, const struct password_record *record, struct buf *out) {
    bool own;
    size_t place = place_of(text, record, &own);
    struct slice rest = slice_from(text, place), line;
    buf_add(out, slice_upto(text, place));
    add_line(out, SLICE_EMPTY);
    password_write(record, out);
    while (rest.n) // another line of the same secret would be another password for it
        if (!next_is(&rest, record->user, &record->name, &line))
            add_line(out, line);
    return !out->failed;
}

bool password_edit_remove(struct slice text, struct slice user, const struct slice *name, struct buf *out,
                          size_t *removed) {
    struct slice line;
    size_t n = 0;
    while (text.n)
        if (next_is(&text, user, name, &line))
            n++;
        else
            add_line(out, line);
    *removed = n;
    return !out->failed;
}
