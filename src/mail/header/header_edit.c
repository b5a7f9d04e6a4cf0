// header_edit: a list of fields.
#include "mail/header/header_edit.h"

#include "mail/header/header.h"

enum { FIRST_CAP = 32 };

static bool make_room(struct header_edit *h) {
    if (h->n < h->cap)
        return true;
    size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
    if (cap > 2 * HEADER_EDIT_FIELDS_MAX)
        return false;
    struct header_edit_field *more = arena_alloc(h->arena, cap * sizeof *more);
    if (!more)
        return false;
    if (h->n)
        memcpy(more, h->list, h->n * sizeof *more);
    h->list = more;
    h->cap = cap;
    return true;
}

bool header_edit_begin(struct header_edit *h, struct slice section, struct arena *arena) {
    struct header_edit made = {.arena = arena};
    struct header_field f;
    struct slice rest = section;
    while (header_next(&rest, &f)) {
        if (made.n == HEADER_EDIT_FIELDS_MAX || !make_room(&made))
            return false;
        made.list[made.n++] = (struct header_edit_field){.name = f.name, .whole = f.whole};
    }
    *h = made;
    return true;
}

static bool name_ok(struct slice name) {
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':')
            return false;
    return name.n > 0 && name.n <= 255;
}

static bool blank(struct slice line) {
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\0')
            return false;
    return true;
}

static size_t find_break(struct slice s) {
    size_t i = 0;
    while (i < s.n && s.p[i] != '\r' && s.p[i] != '\n')
        i++;
    return i;
}

static void add_without_nul(struct buf *to, struct slice line) {
    while (line.n) {
        struct slice part;
        slice_cut(line, '\0', &part, &line);
        buf_add(to, part);
    }
}

// A line of nothing but blanks goes: to others it would be the end of the section.
static void add_value(struct buf *to, struct slice value) {
    bool first = true;
    while (value.n) {
        size_t n = find_break(value);
        struct slice line = slice_upto(value, n);
        if (first || !blank(line)) {
            if (!first)
                buf_add_str(to, "\r\n");
            if (!first && line.p[0] != ' ' && line.p[0] != '\t')
                buf_add_char(to, '\t');
            add_without_nul(to, line);
        }
        first = false;
        value = slice_from(value, slice_starts(slice_from(value, n), SLICE("\r\n")) ? n + 2 : n + 1);
    }
    buf_add_str(to, "\r\n");
}

static bool make_field(struct header_edit *h, struct slice name, struct slice value, struct header_edit_field *out) {
    struct buf text BUF_AUTO = {.max = 2 * value.n + name.n + 16};
    if (!name_ok(name))
        return false;
    buf_add(&text, name);
    buf_add_char(&text, ':');
    add_value(&text, value);
    struct slice whole = arena_dup(h->arena, buf_slice(&text));
    if (text.failed || !whole.p)
        return false;
    *out = (struct header_edit_field){.name = slice_upto(whole, name.n), .whole = whole};
    return true;
}

bool header_edit_insert(struct header_edit *h, size_t index, struct slice name, struct slice value) {
    struct header_edit_field f;
    if (h->n == HEADER_EDIT_FIELDS_MAX || !make_room(h) || !make_field(h, name, value, &f))
        return false;
    if (index > h->n)
        index = h->n;
    memmove(h->list + index + 1, h->list + index, (h->n - index) * sizeof *h->list);
    h->list[index] = f;
    h->n++;
    return true;
}

bool header_edit_add(struct header_edit *h, struct slice name, struct slice value) {
    return header_edit_insert(h, h->n, name, value);
}

bool header_edit_change(struct header_edit *h, size_t nth, struct slice name, struct slice value) {
    struct header_edit_field f;
    size_t left = nth ? nth : 1;
    for (size_t i = 0; i < h->n; i++) {
        if (!slice_ieq(h->list[i].name, name) || --left)
            continue;
        if (value.n == 0)
            return h->list[i].gone = true;
        if (!make_field(h, name, value, &f))
            return false;
        h->list[i] = f;
        return true;
    }
    return value.n == 0 || header_edit_add(h, name, value);
}

size_t header_edit_size(const struct header_edit *h, size_t fields) {
    size_t bytes = 0;
    for (size_t i = 0; i < h->n && i < fields; i++)
        if (!h->list[i].gone)
            bytes += h->list[i].whole.n + (slice_ends(h->list[i].whole, SLICE("\n")) ? 0 : 2);
    return bytes;
}

bool header_edit_write(const struct header_edit *h, struct buf *out) {
    for (size_t i = 0; i < h->n; i++) {
        struct slice whole = h->list[i].whole;
        if (h->list[i].gone)
            continue;
        buf_add(out, whole);
        if (!slice_ends(whole, SLICE("\n")))
            buf_add_str(out, "\r\n");
    }
    return !out->failed;
}
