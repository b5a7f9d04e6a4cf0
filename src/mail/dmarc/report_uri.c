// report_uri: one URI.
#include "mail/dmarc/report_uri.h"

#include "mail/address.h"

static bool is_uri_char(char c) { return c > ' ' && c <= '~' && !strchr("\"<>\\^`{|},;!", c); }

static int hex(char c) {
    c = ascii_lower(c);
    return ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// "%" and two hexadecimal digits (RFC 3986 2.1).
static bool is_encoded(struct slice s) { return s.n > 2 && hex(s.p[1]) >= 0 && hex(s.p[2]) >= 0; }

bool report_uri_ok(struct slice uri) {
    size_t colon = slice_find(uri, ':');
    if (colon == 0 || colon + 1 >= uri.n || !ascii_alpha(uri.p[0]))
        return false;
    for (size_t i = 0; i < uri.n; i++)
        if (!is_uri_char(uri.p[i]) || (i < colon && !ascii_alnum(uri.p[i]) && !strchr("+-.", uri.p[i])) ||
            (uri.p[i] == '%' && !is_encoded(slice_from(uri, i))))
            return false;
    return true;
}

bool report_uri_is_mail(struct slice uri) { return slice_istarts(uri, SLICE("mailto:")); }

static bool decode_percent(struct slice s, char *to, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (!is_encoded(slice_from(s, i)))
                return false;
            c = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
            i += 2;
        }
        to[(*n)++] = c;
    }
    return true;
}

bool report_uri_mailbox(struct slice uri, struct arena *arena, struct slice *out) {
    struct address a;
    struct slice path, query;
    size_t n;
    if (!report_uri_is_mail(uri))
        return false;
    slice_cut(slice_from(uri, 7), '?', &path, &query);
    char *text = arena_alloc(arena, path.n + 1);
    if (!text || !decode_percent(path, text, &n) ||
        !address_parse(slice_of(text, n), ADDRESS_RECIPIENT, arena, &a, NULL) || !a.domain.n)
        return false;
    *out = slice_of(text, n);
    return true;
}
