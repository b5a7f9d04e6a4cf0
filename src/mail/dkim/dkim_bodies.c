// dkim_bodies: one running hash for each form, looked at where a part ends.
#include "mail/dkim/dkim_bodies.h"

#include "mail/dkim/dkim_signature.h"

#include <stdlib.h>

bool dkim_bodies_init(struct dkim_bodies *b, size_t max, struct arena *arena) {
    *b = (struct dkim_bodies){.max = max};
    for (size_t i = 0; i < 2; i++)
        if (!(b->forms[i].wishes = arena_alloc(arena, (max + 1) * sizeof(struct dkim_wish))))
            return false;
    return true;
}

static const struct dkim_wish *find(const struct dkim_form *f, uint64_t length) {
    for (size_t i = 0; i < f->n; i++)
        if (f->wishes[i].length == length)
            return &f->wishes[i];
    return NULL;
}

void dkim_bodies_want(struct dkim_bodies *b, enum dkim_canon canon, uint64_t length) {
    struct dkim_form *f = &b->forms[canon];
    if (f->n < b->max && !find(f, length))
        f->wishes[f->n++].length = length;
}

static int by_length(const void *a, const void *b) {
    const struct dkim_wish *x = a, *y = b;
    return x->length < y->length ? -1 : x->length > y->length;
}

// Parts that end within these bytes, or where they begin.
static void take(void *arg, struct slice bytes) {
    struct dkim_form *f = arg;
    for (; f->next < f->n && f->wishes[f->next].length <= f->bytes + bytes.n; f->next++) {
        size_t part = (size_t)(f->wishes[f->next].length - f->bytes);
        digest_add(&f->hash, slice_upto(bytes, part));
        f->bytes += part;
        bytes = slice_from(bytes, part);
        digest_peek(&f->hash, f->wishes[f->next].hash);
        f->wishes[f->next].reached = true;
    }
    if (f->next < f->n) // else nobody wants the rest
        digest_add(&f->hash, bytes);
    f->bytes += bytes.n;
}

void dkim_bodies_begin(struct dkim_bodies *b) {
    for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
        struct dkim_form *f = &b->forms[canon];
        if (!f->n)
            continue;
        qsort(f->wishes, f->n, sizeof *f->wishes, by_length);
        f->body = (struct dkim_body){.canon = canon, .sink = take, .arg = f};
        digest_init(&f->hash, DIGEST_SHA256);
        take(f, SLICE_EMPTY); // l=0
    }
}

void dkim_bodies_add(struct dkim_bodies *b, struct slice piece) {
    for (size_t i = 0; i < 2; i++)
        if (b->forms[i].n)
            dkim_body_add(&b->forms[i].body, piece);
}

void dkim_bodies_end(struct dkim_bodies *b) {
    for (size_t i = 0; i < 2; i++) {
        struct dkim_form *f = &b->forms[i];
        if (!f->n)
            continue;
        dkim_body_end(&f->body, NULL);
        if (f->next < f->n && f->wishes[f->n - 1].length == DKIM_SIGNATURE_ALL) {
            digest_end(&f->hash, f->wishes[f->n - 1].hash);
            f->wishes[f->n - 1].reached = true;
        }
    }
}

void dkim_bodies_done(struct dkim_bodies *b) {
    for (size_t i = 0; i < 2; i++)
        digest_done(&b->forms[i].hash);
}

const struct dkim_wish *dkim_bodies_get(const struct dkim_bodies *b, enum dkim_canon canon, uint64_t length,
                                        uint64_t *left) {
    const struct dkim_form *f = &b->forms[canon];
    *left = length < f->bytes ? f->bytes - length : 0;
    return find(f, length);
}
