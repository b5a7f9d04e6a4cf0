// gate_arc: what those whom we trust to forward say that they saw: the words of an Authentication-Results field.
#include "core/gate/gate_inside.h"

#include "mail/header/header.h"

// What doesn't end reaches to the end of all.
static size_t or_all(size_t length, struct slice s) { return length ? length : s.n; }

static struct slice skip_blanks(struct slice s) {
    while (s.n && (ascii_space(s.p[0]) || s.p[0] == '('))
        s = slice_from(s, s.p[0] == '(' ? or_all(header_comment_length(s), s) : 1);
    return s;
}

// The next word up to a blank, ';' or '='; what is quoted is one, without its quotes.
static struct slice take_word(struct slice *rest) {
    struct slice s = skip_blanks(*rest), word;
    size_t n = 0;
    if (s.n && s.p[0] == '"') {
        n = or_all(header_quoted_length(s), s);
        *rest = slice_from(s, n);
        return n >= 2 ? slice_of(s.p + 1, n - 2) : SLICE_EMPTY;
    }
    while (n < s.n && !ascii_space(s.p[n]) && !strchr(";=(\"", s.p[n]))
        n++;
    word = slice_upto(s, n);
    *rest = slice_from(s, n);
    return word;
}

static bool take_char(struct slice *rest, char c) {
    struct slice s = skip_blanks(*rest);
    bool there = s.n && s.p[0] == c;
    *rest = there ? slice_from(s, 1) : s;
    return there;
}

// "example.org", "@example.org" or "user@mail.example.org": in the organization?
static bool is_aligned(struct slice identity, struct slice organisation) {
    size_t at = slice_rfind(identity, '@');
    struct slice domain = at < identity.n ? slice_from(identity, at + 1) : identity;
    if (organisation.n == 0 || domain.n < organisation.n)
        return false;
    struct slice end = slice_from(domain, domain.n - organisation.n);
    return slice_ieq(end, organisation) && (end.n == domain.n || domain.p[domain.n - organisation.n - 1] == '.');
}

static bool names_identity(struct slice method, struct slice property) {
    if (slice_ieq(method, SLICE("spf")))
        return slice_ieq(property, SLICE("smtp.mailfrom"));
    return slice_ieq(method, SLICE("dkim")) && slice_ieq(property, SLICE("header.d"));
}

// One result: "dkim=pass (2048-bit key) header.d=example.org header.s=x"; takes it off with its ';'.
static bool take_result(struct slice *rest, struct slice organisation) {
    struct slice method = take_word(rest), name, value;
    slice_cut(method, '/', &method, &value); // a version (RFC 8601 2.2)
    bool pass = take_char(rest, '=') && slice_ieq(take_word(rest), SLICE("pass"));
    bool dmarc = pass && slice_ieq(method, SLICE("dmarc")), vouches = dmarc;
    while (!take_char(rest, ';') && rest->n) {
        size_t before = rest->n;
        name = take_word(rest);
        value = take_char(rest, '=') ? take_word(rest) : SLICE_EMPTY;
        vouches |= pass && names_identity(method, name) && is_aligned(value, organisation);
        if (dmarc && slice_ieq(name, SLICE("header.from"))) // which From had may be another one now
            vouches = is_aligned(value, organisation);
        if (rest->n == before) // nothing that could be read
            *rest = slice_from(*rest, 1);
    }
    return vouches;
}

bool gate_results_vouch(struct slice results, struct slice organisation) {
    bool vouches = false;
    while (results.n)
        vouches |= take_result(&results, organisation);
    return vouches;
}
