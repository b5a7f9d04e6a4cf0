// spf_macro: macros, checked and expanded.
#include "mail/spf/spf_macro.h"

#include "base/num.h"

#include <inttypes.h>

enum part_kind { PART_END, PART_LITERAL, PART_MACRO, PART_BROKEN };

struct part {
    enum part_kind kind;
    struct slice text; // LITERAL: the text that it stands for
    bool escaped;      // LITERAL: of %% %_ %-
    char letter;       // MACRO: in lower case
    bool upper;
    uint64_t digits; // 0: all
    bool reverse;
    struct slice delimiters;
    const char *why; // BROKEN
};

static struct part broken(const char *why) { return (struct part){.kind = PART_BROKEN, .why = why}; }

static bool in(const char *set, char c) { return c && strchr(set, c); }

// What stands between { and }.
static struct part macro_of(struct slice s) {
    if (s.n == 0 || !in("slodiphcrtv", ascii_lower(s.p[0])))
        return broken("there is no such macro");
    struct part p = {.kind = PART_MACRO, .letter = ascii_lower(s.p[0])};
    p.upper = p.letter != s.p[0];
    s = slice_from(s, 1);
    size_t n = 0;
    while (n < s.n && ascii_digit(s.p[n]))
        n++;
    if (n) {
        if (!num_u64(slice_upto(s, n), UINT32_MAX, &p.digits))
            p.digits = UINT32_MAX; // more than there can be parts
        if (p.digits == 0)
            return broken("none of the parts are asked for (RFC 7208 7.1)");
    }
    s = slice_from(s, n);
    p.reverse = s.n && ascii_lower(s.p[0]) == 'r';
    p.delimiters = slice_from(s, p.reverse);
    for (size_t i = 0; i < p.delimiters.n; i++)
        if (!in(".-+,/_=", p.delimiters.p[i]))
            return broken("not a delimiter");
    if (p.delimiters.n == 0)
        p.delimiters = SLICE(".");
    return p;
}

static struct part next_part(struct slice *rest) {
    struct slice s = *rest;
    if (s.n == 0)
        return (struct part){.kind = PART_END};
    if (s.p[0] != '%') {
        struct slice literal = slice_upto(s, slice_find(s, '%'));
        *rest = slice_from(s, literal.n);
        return (struct part){.kind = PART_LITERAL, .text = literal};
    }
    char c = s.n > 1 ? s.p[1] : 0;
    if (c != '{') {
        struct slice text = c == '%' ? SLICE("%") : c == '_' ? SLICE(" ") : c == '-' ? SLICE("%20") : SLICE_EMPTY;
        *rest = slice_from(s, 2);
        return text.n ? (struct part){.kind = PART_LITERAL, .text = text, .escaped = true}
                      : broken("% is followed by none of { % _ -");
    }
    size_t end = slice_find(s, '}');
    if (end == s.n)
        return broken("a macro has no end");
    *rest = slice_from(s, end + 1);
    return macro_of(slice_of(s.p + 2, end - 2));
}

bool spf_macro_check(struct slice text, bool explanation, size_t *at, const char **why) {
    struct slice rest = text;
    for (;;) {
        *at = text.n - rest.n;
        struct part p = next_part(&rest);
        if (p.kind == PART_END)
            return true;
        if (p.kind == PART_MACRO && !explanation && in("crt", p.letter))
            p = broken("this macro is for explanations only (RFC 7208 7.2)");
        for (size_t i = 0; p.kind == PART_LITERAL && !p.escaped && i < p.text.n; i++)
            if (p.text.p[i] > 0x7e || p.text.p[i] < (explanation ? ' ' : '!')) {
                *at += i;
                p = broken("not a visible ASCII character");
            }
        if (p.kind == PART_BROKEN) {
            *why = p.why;
            return false;
        }
    }
}

// toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )
static bool is_toplabel(struct slice s) {
    bool letter = false, dash = false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_alnum(s.p[i]) && s.p[i] != '-')
            return false;
        letter |= ascii_alpha(s.p[i]);
        dash |= s.p[i] == '-';
    }
    return s.n && (letter || dash) && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

bool spf_macro_check_domain(struct slice text, size_t *at, const char **why) {
    *at = 0;
    *why = "a domain is missing";
    if (text.n == 0 || !spf_macro_check(text, false, at, why))
        return false;
    struct part last = {.kind = PART_END};
    for (struct slice rest = text; rest.n;)
        last = next_part(&rest);
    if (last.kind == PART_MACRO || last.escaped)
        return true;
    struct slice end = last.text;
    if (end.p[end.n - 1] == '.')
        end.n--;
    size_t dot = slice_rfind(end, '.');
    if (dot < end.n && is_toplabel(slice_from(end, dot + 1)))
        return true;
    *at = text.n - last.text.n + (dot < end.n ? dot + 1 : 0);
    *why = "a domain ends with a dot and a top-level domain, or with a macro (RFC 7208 7.1)";
    return false;
}

bool spf_macro_uses_validated(struct slice text) {
    for (;;) {
        struct part p = next_part(&text);
        if (p.kind == PART_END || p.kind == PART_BROKEN)
            return false;
        if (p.kind == PART_MACRO && p.letter == 'p')
            return true;
    }
}

// ---- expansion

static bool add_nibbles(struct buf *b, const struct netaddr *ip) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < 32; i++) {
        uint8_t byte = ip->ip[i / 2];
        buf_add_char(b, hex[i % 2 ? byte & 15 : byte >> 4]);
        if (i < 31)
            buf_add_char(b, '.');
    }
    return !b->failed;
}

static struct slice value_of(char letter, const struct spf_macro_values *v, struct buf *scratch) {
    switch (letter) {
    case 's':
        return v->sender;
    case 'l':
        return v->local;
    case 'o':
        return v->sender_domain;
    case 'd':
        return v->domain;
    case 'p':
        return v->validated;
    case 'h':
        return v->helo;
    case 'r':
        return v->receiver.n ? v->receiver : SLICE("unknown");
    case 'v':
        return v->ip.family == NETADDR_V6 ? SLICE("ip6") : SLICE("in-addr");
    case 't':
        buf_addf(scratch, "%" PRId64, v->now.ms / MS_SECOND);
        break;
    case 'c':
        netaddr_add_ip(scratch, &v->ip);
        break;
    default: // i
        if (v->ip.family == NETADDR_V6)
            add_nibbles(scratch, &v->ip);
        else
            netaddr_add_ip(scratch, &v->ip);
    }
    return buf_slice(scratch);
}

// Upper-case macros are escaped as in URLs (7.3, RFC 3986 2.3).
static void add_char(struct buf *to, char c, bool escape) {
    if (!escape || ascii_alnum(c) || in("-._~", c))
        buf_add_char(to, c);
    else
        buf_addf(to, "%%%02X", (unsigned)(uint8_t)c);
}

static bool splits(const struct part *p, char c) { return slice_find(p->delimiters, c) < p->delimiters.n; }

// The last p->digits parts of `value`.
static void add_forward(const struct part *p, struct slice value, struct buf *to) {
    size_t from = value.n;
    for (uint64_t parts = 0; from > 0; from--)
        if (splits(p, value.p[from - 1]) && ++parts == p->digits)
            break;
    for (size_t i = from; i < value.n && !to->failed; i++)
        add_char(to, splits(p, value.p[i]) ? '.' : value.p[i], p->upper);
}

// The last p->digits parts of the reversed `value`: the first ones, backwards.
static void add_reverse(const struct part *p, struct slice value, struct buf *to) {
    size_t n = 0;
    for (uint64_t parts = 0; n < value.n; n++)
        if (splits(p, value.p[n]) && ++parts == p->digits)
            break;
    for (size_t end = n; !to->failed;) {
        size_t from = end;
        while (from > 0 && !splits(p, value.p[from - 1]))
            from--;
        for (size_t i = from; i < end; i++)
            add_char(to, value.p[i], p->upper);
        if (from == 0)
            return;
        add_char(to, '.', false);
        end = from - 1;
    }
}

bool spf_macro_expand(struct slice text, const struct spf_macro_values *v, struct buf *to) {
    for (struct part p; !to->failed && (p = next_part(&text)).kind != PART_END;) {
        if (p.kind != PART_MACRO) {
            buf_add(to, p.text);
            continue;
        }
        BUF_AUTO struct buf scratch = {.max = 128};
        struct slice value = value_of(p.letter, v, &scratch);
        if (p.reverse)
            add_reverse(&p, value, to);
        else
            add_forward(&p, value, to);
    }
    return !to->failed;
}
