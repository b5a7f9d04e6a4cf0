// slice: comparing, searching and cutting of byte views.
#include "base/slice.h"

bool slice_ieq(struct slice a, struct slice b) {
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

bool slice_istarts(struct slice s, struct slice prefix) {
    return s.n >= prefix.n && slice_ieq(slice_upto(s, prefix.n), prefix);
}

int slice_cmp(struct slice a, struct slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

size_t slice_find(struct slice s, char c) {
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

size_t slice_rfind(struct slice s, char c) {
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

size_t slice_search(struct slice s, struct slice needle) {
    if (needle.n == 0)
        return 0;
    const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

bool slice_cut(struct slice s, char c, struct slice *head, struct slice *tail) {
    size_t at = slice_find(s, c);
    *head = slice_upto(s, at);
    *tail = slice_from(s, at + 1);
    return at < s.n;
}

struct slice slice_trim(struct slice s) {
    while (s.n && ascii_space(s.p[0]))
        s = slice_from(s, 1);
    while (s.n && ascii_space(s.p[s.n - 1]))
        s.n--;
    return s;
}
