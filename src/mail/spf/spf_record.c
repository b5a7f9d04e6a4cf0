// spf_record: reads terms.
#include "mail/spf/spf_record.h"

#include "base/num.h"
#include "mail/spf/spf_macro.h"

struct parser {
    struct slice all; // the record
    struct err *e;
};

static bool wrong(const struct parser *p, const char *at, const char *why) {
    return err_set(p->e, ERR_PERMANENT, "column %zu: %s", (size_t)(at - p->all.p) + 1, why);
}

static const struct {
    const char *name;
    enum spf_mechanism mechanism;
    bool domain, domain_needed, cidr;
} mechanisms[] = {
    {"all", SPF_ALL, false, false, false}, {"include", SPF_INCLUDE, true, true, false},
    {"a", SPF_A, true, false, true},       {"mx", SPF_MX, true, false, true},
    {"ptr", SPF_PTR, true, false, false},  {"ip4", SPF_IP4, false, false, true},
    {"ip6", SPF_IP6, false, false, true},  {"exists", SPF_EXISTS, true, true, false},
};

// Takes "/24" (`max` 32) or, of a `dual` one, "//64" off the end; *bits stays where there is none. Wrong are "/033",
// "/33".
static bool take_cidr(const struct parser *p, struct slice *s, bool dual, uint8_t max, uint8_t *bits) {
    size_t at = slice_rfind(*s, '/');
    if (at == s->n || dual != (at > 0 && s->p[at - 1] == '/'))
        return true;
    struct slice digits = slice_of(s->p + at + 1, s->n - at - 1);
    for (size_t i = 0; i < digits.n; i++)
        if (!ascii_digit(digits.p[i]))
            return true; // part of a name
    uint64_t v;
    if (!num_u64(digits, max, &v) || (digits.n > 1 && digits.p[0] == '0'))
        return wrong(p, digits.p,
                     max == 32 ? "an IPv4 prefix length is 0 to 32 (RFC 7208 5.6)"
                               : "an IPv6 prefix length is 0 to 128 (RFC 7208 5.6)");
    *bits = (uint8_t)v;
    s->n = at - dual;
    return true;
}

static bool parse_network(const struct parser *p, struct slice s, struct spf_term *out) {
    bool v6 = out->mechanism == SPF_IP6;
    struct netaddr a;
    if (!take_cidr(p, &s, false, v6 ? 128 : 32, v6 ? &out->bits6 : &out->bits4))
        return false;
    if (!netaddr_parse_ip(s, &a) || v6 != (slice_find(s, ':') < s.n))
        return wrong(p, s.p, v6 ? "not an IPv6 address (RFC 7208 5.6)" : "not an IPv4 address (RFC 7208 5.6)");
    if (v6 && a.family == NETADDR_V4) { // ::ffff:192.0.2.1 stays the IPv6 address that it was written as
        memset(out->ip + 10, 0xff, 2);
        memcpy(out->ip + 12, a.ip, 4);
    } else {
        memcpy(out->ip, a.ip, sizeof out->ip);
    }
    return true;
}

static bool parse_domain(const struct parser *p, struct slice s) {
    size_t at;
    const char *why;
    return spf_macro_check_domain(s, &at, &why) || wrong(p, s.p + at, why);
}

// `s`: what follows the name.
static bool parse_arguments(const struct parser *p, size_t known, struct slice s, struct spf_term *out) {
    bool colon = s.n && s.p[0] == ':';
    if (out->mechanism == SPF_IP4 || out->mechanism == SPF_IP6)
        return colon ? parse_network(p, slice_of(s.p + 1, s.n - 1), out) : wrong(p, s.p, "expected : and an address");
    if (mechanisms[known].cidr &&
        (!take_cidr(p, &s, true, 128, &out->bits6) || !take_cidr(p, &s, false, 32, &out->bits4)))
        return false;
    if (colon && mechanisms[known].domain) {
        out->domain = slice_of(s.p + 1, s.n - 1);
        return parse_domain(p, out->domain);
    }
    if (mechanisms[known].domain_needed)
        return wrong(p, s.p, "expected : and a domain");
    return s.n == 0 || wrong(p, s.p, "this can't follow the mechanism");
}

static bool parse_mechanism(const struct parser *p, struct slice text, struct spf_term *out) {
    static const char qualifiers[] = "+-~?";
    static const enum spf_result results[] = {SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL};
    const char *q = strchr(qualifiers, text.p[0]);
    struct slice s = slice_from(text, q != NULL);
    *out = (struct spf_term){.text = text, .result = q ? results[q - qualifiers] : SPF_PASS, .bits4 = 32, .bits6 = 128};
    size_t n = 0;
    while (n < s.n && s.p[n] != ':' && s.p[n] != '/')
        n++;
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
        if (slice_ieq(slice_upto(s, n), slice_str(mechanisms[i].name))) {
            out->mechanism = mechanisms[i].mechanism;
            return parse_arguments(p, i, slice_of(s.p + n, s.n - n), out);
        }
    return wrong(p, text.p + (q != NULL), "there is no such mechanism (RFC 7208 5)");
}

// The length of the name where the term is a modifier: name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ), then "="
// before any ":" or "/" (4.6.1).
static size_t modifier_name(struct slice text) {
    size_t n = 0;
    while (n < text.n && (ascii_alnum(text.p[n]) || (text.p[n] && strchr("-_.", text.p[n]))))
        n++;
    return n < text.n && text.p[n] == '=' && ascii_alpha(text.p[0]) ? n : 0;
}

static bool parse_modifier(const struct parser *p, struct slice name, struct slice value, struct spf_record *out) {
    struct slice *to = slice_ieq(name, SLICE("redirect")) ? &out->redirect
                       : slice_ieq(name, SLICE("exp"))    ? &out->exp
                                                          : NULL;
    size_t at;
    const char *why;
    if (!to)
        return spf_macro_check(value, false, &at, &why) || wrong(p, value.p + at, why);
    if (to->n)
        return wrong(p, name.p, "this modifier is there twice (RFC 7208 6)");
    *to = value;
    return parse_domain(p, value);
}

static struct slice next_text(struct slice *rest) {
    while (rest->n && rest->p[0] == ' ')
        *rest = slice_from(*rest, 1);
    struct slice text;
    slice_cut(*rest, ' ', &text, rest);
    return text;
}

bool spf_is_record(struct slice txt) { return slice_istarts(txt, SLICE("v=spf1")) && (txt.n == 6 || txt.p[6] == ' '); }

bool spf_record_parse(struct slice text, struct spf_record *out, struct err *e) {
    struct parser p = {text, e};
    if (!spf_is_record(text))
        return wrong(&p, text.p, "expected v=spf1 and a space (RFC 7208 4.5)");
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' || text.p[i] > 0x7e)
            return wrong(&p, text.p + i, "not a visible ASCII character (RFC 7208 3.1)");
    struct spf_record r = {.terms = slice_from(text, 6)};
    struct slice rest = r.terms;
    for (struct slice t = next_text(&rest); t.n; t = next_text(&rest)) {
        size_t name = modifier_name(t);
        struct spf_term ignored;
        if (!(name ? parse_modifier(&p, slice_upto(t, name), slice_of(t.p + name + 1, t.n - name - 1), &r)
                   : parse_mechanism(&p, t, &ignored)))
            return false;
    }
    *out = r;
    return true;
}

bool spf_record_next(struct slice *terms, struct spf_term *out) {
    const struct parser p = {*terms, NULL};
    for (struct slice t = next_text(terms); t.n; t = next_text(terms))
        if (modifier_name(t) == 0 && parse_mechanism(&p, t, out))
            return true;
    return false;
}

bool spf_record_check(struct slice record, struct err *e) {
    struct spf_record r;
    return spf_record_parse(record, &r, e);
}
