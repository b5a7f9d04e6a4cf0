// dkim_select: names are sorted, so that a hostile header can't make finding one slow; each has a ring of its last
// fields.
#include "mail/dkim/dkim_select.h"

#include "mail/dkim/dkim_signature.h"
#include "mail/header/header.h"

#include <stdlib.h>

struct mention { // a name in an h=
    struct slice name;
    uint32_t selection, place, nth; // the nth of its name there
};

struct wanted { // a name, once
    struct slice name;
    struct slice *ring;
    uint32_t room; // as often as one signature names it at most, and itself
    uint32_t seen;
};

struct own { // a signature's own field, where it names its like
    const struct wanted *name;
    uint32_t at; // so many are above it
};

struct search {
    struct mention *mentions;
    size_t mentions_n;
    struct wanted *wanted;
    size_t wanted_n;
    struct own *own; // of each selection
};

// Any order will do; this one is quick, since names differ in length.
static int compare_names(struct slice a, struct slice b) {
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    for (size_t i = 0; i < a.n; i++) {
        int d = ascii_lower(a.p[i]) - ascii_lower(b.p[i]);
        if (d)
            return d;
    }
    return 0;
}

static int compare_mentions(const void *a, const void *b) {
    const struct mention *x = a, *y = b;
    int d = compare_names(x->name, y->name);
    if (d)
        return d;
    if (x->selection != y->selection)
        return x->selection < y->selection ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static bool collect(struct search *s, const struct dkim_selection *list, size_t n, struct arena *arena) {
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += list[i].n;
    s->mentions = arena_alloc(arena, (all + 1) * sizeof *s->mentions);
    s->wanted = arena_alloc(arena, (all + 1) * sizeof *s->wanted);
    s->own = arena_alloc(arena, (n + 1) * sizeof *s->own);
    if (!s->mentions || !s->wanted || !s->own)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct slice rest = list[i].names, name;
        for (size_t k = 0; k < list[i].n && dkim_signature_name(&rest, &name); k++)
            s->mentions[s->mentions_n++] = (struct mention){name, (uint32_t)i, (uint32_t)k, 0};
    }
    qsort(s->mentions, s->mentions_n, sizeof *s->mentions, compare_mentions);
    return true;
}

static bool count(struct search *s, struct arena *arena) {
    struct mention *before = NULL;
    for (size_t i = 0; i < s->mentions_n; before = &s->mentions[i++]) {
        struct mention *m = &s->mentions[i];
        bool same = before && compare_names(before->name, m->name) == 0;
        if (!same)
            s->wanted[s->wanted_n++] = (struct wanted){.name = m->name};
        m->nth = same && before->selection == m->selection ? before->nth + 1 : 0;
        struct wanted *w = &s->wanted[s->wanted_n - 1];
        if (m->nth + 2 > w->room)
            w->room = m->nth + 2;
    }
    for (size_t i = 0; i < s->wanted_n; i++)
        if (!(s->wanted[i].ring = arena_alloc(arena, s->wanted[i].room * sizeof(struct slice))))
            return false;
    return true;
}

static struct wanted *find(struct search *s, struct slice name) {
    size_t from = 0, to = s->wanted_n;
    while (from < to) {
        size_t middle = (from + to) / 2;
        int d = compare_names(name, s->wanted[middle].name);
        if (d == 0)
            return &s->wanted[middle];
        if (d < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

static void walk(struct search *s, struct slice header, struct dkim_selection *list, size_t n) {
    struct header_field field;
    while (header_next(&header, &field)) {
        struct wanted *w = find(s, field.name);
        if (!w)
            continue;
        for (size_t i = 0; i < n; i++)
            if (list[i].own == field.whole.p)
                s->own[i] = (struct own){w, w->seen};
        w->ring[w->seen++ % w->room] = field.whole;
    }
}

// The nth field from below, without the one that asks.
static struct slice pick(const struct wanted *w, const struct own *own, uint32_t nth) {
    if (own->name == w && nth < w->seen && w->seen - 1 - nth <= own->at)
        nth++;
    return nth < w->seen ? w->ring[(w->seen - 1 - nth) % w->room] : SLICE_EMPTY;
}

static void give(struct search *s, struct dkim_selection *list) {
    struct wanted *w = s->wanted;
    for (size_t i = 0; i < s->mentions_n; i++) {
        const struct mention *m = &s->mentions[i];
        while (compare_names(w->name, m->name) != 0)
            w++;
        list[m->selection].fields[m->place] = pick(w, &s->own[m->selection], m->nth);
        if (slice_ieq(m->name, SLICE("from")))
            list[m->selection].more_from = w->seen > m->nth + 1; // the last mention has the last word
    }
}

bool dkim_select(struct slice header, struct dkim_selection *list, size_t n, struct arena *arena) {
    struct search s = {0};
    for (size_t i = 0; i < n; i++)
        if (!(list[i].fields = arena_alloc(arena, (list[i].n + 1) * sizeof(struct slice))))
            return false;
    struct arena_mark mark = arena_mark(arena);
    bool ok = collect(&s, list, n, arena) && count(&s, arena);
    if (ok) {
        walk(&s, header, list, n);
        give(&s, list);
    }
    arena_rewind(arena, mark);
    return ok;
}
