// tls_names: a map of names, and reading them out of certificates.
#include "rt/tls/tls_names.h"

#include "base/mem.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

enum { NAME_BYTES = 256 };

void tls_names_done(struct tls_names *t) {
    for (size_t i = 0; i < t->n; i++)
        free(t->list[i]);
    free(t->list);
    map_done(&t->by_text);
    *t = (struct tls_names){.by_text.key = t->by_text.key};
}

// Empty when it can't be a name of the net.
static struct slice lower(struct slice name, char to[NAME_BYTES]) {
    if (slice_ends(name, SLICE(".")))
        name.n--;
    if (name.n == 0 || name.n > NAME_BYTES || memchr(name.p, 0, name.n))
        return SLICE_EMPTY;
    for (size_t i = 0; i < name.n; i++)
        to[i] = ascii_lower(name.p[i]);
    return slice_of(to, name.n);
}

// "*.example.org" for "mx.example.org". Empty where there is none.
static struct slice star_above(struct slice name, char to[NAME_BYTES]) {
    size_t dot = slice_find(name, '.');
    if (dot == name.n || dot == 0 || name.p[0] == '*')
        return SLICE_EMPTY;
    to[0] = '*';
    memcpy(to + 1, name.p + dot, name.n - dot);
    return slice_of(to, name.n - dot + 1);
}

static struct tls_name *entry(struct tls_names *t, struct slice name) {
    struct tls_name *e = map_get(&t->by_text, name);
    if (e)
        return e;
    e = mem_new(1, sizeof *e + name.n);
    e->n = name.n;
    memcpy(e->text, name.p, name.n);
    for (int kind = 0; kind < TLS_KINDS; kind++)
        e->members[kind] = TLS_NOBODY;
    t->list = mem_grow(t->list, t->n + 1, sizeof(struct tls_name *));
    t->list[t->n++] = e;
    map_set(&t->by_text, slice_of(e->text, e->n), e);
    return e;
}

void tls_names_add(struct tls_names *t, struct slice name, int kind, int place) {
    char text[NAME_BYTES];
    struct slice folded = lower(name, text);
    if (!folded.n)
        return;
    struct tls_name *e = entry(t, folded);
    if (e->members[kind] == TLS_NOBODY)
        e->members[kind] = place;
}

static struct slice text_of(const ASN1_STRING *text) {
    return slice_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static size_t add_alternative(struct tls_names *t, const X509 *x, int kind, int place) {
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    size_t n = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        tls_names_add(t, text_of(name->d.dNSName), kind, place);
        n++;
    }
    GENERAL_NAMES_free(names);
    return n;
}

void tls_names_add_all(struct tls_names *t, const X509 *x, int kind, int place) {
    X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (add_alternative(t, x, kind, place) == 0 && at >= 0)
        tls_names_add(t, text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))), kind, place);
}

void tls_names_complete(struct tls_names *t) {
    char text[NAME_BYTES];
    for (size_t i = 0; i < t->n; i++) {
        struct tls_name *e = t->list[i];
        struct slice star = star_above(slice_of(e->text, e->n), text);
        const struct tls_name *above = star.n ? map_get(&t->by_text, star) : NULL;
        for (int kind = 0; above && kind < TLS_KINDS; kind++)
            if (e->members[kind] == TLS_NOBODY)
                e->members[kind] = above->members[kind];
    }
}

struct tls_name *tls_names_find(const struct tls_names *t, struct slice name) {
    char text[NAME_BYTES], above[NAME_BYTES];
    struct slice folded = lower(name, text);
    struct tls_name *e = folded.n ? map_get(&t->by_text, folded) : NULL;
    struct slice star = folded.n && !e ? star_above(folded, above) : SLICE_EMPTY;
    return star.n ? map_get(&t->by_text, star) : e;
}
