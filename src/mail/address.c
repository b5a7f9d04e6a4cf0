// address: the grammar of mailboxes.
#include "mail/address.h"

#include "base/utf8.h"

#include <idn2.h>

static bool is_atext(char c) {
    static const char others[] = "!#$%&'*+-/=?^_`{|}~";
    return ascii_alnum(c) || (uint8_t)c >= 0x80 || (c && strchr(others, c));
}

// Dot-string of RFC 5321 4.1.2, with UTF-8 as RFC 6531 3.3 adds it.
static bool is_dot_string(struct slice s) {
    char before = '.';
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' ? before == '.' : !is_atext(s.p[i]))
            return false;
        before = s.p[i];
    }
    return before != '.';
}

// A character that may follow a backslash in a quoted string: ASCII that can be seen, and the space.
static bool is_quotable(char c) { return c >= ' ' && c <= '~'; }

// The length of the quoted string that `s` begins with, its quotes counted; 0 where it is none.
static size_t quoted_length(struct slice s) {
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '"')
            return i + 1;
        if (s.p[i] == '\\') {
            i++;
            if (i == s.n || !is_quotable(s.p[i]))
                return 0;
        } else if (!is_quotable(s.p[i]) && (uint8_t)s.p[i] < 0x80) {
            return 0;
        }
    }
    return 0;
}

// `inside` of a quoted string without its backslashes.
static bool unquote(struct slice inside, struct arena *arena, struct slice *out) {
    char *to = arena_alloc(arena, inside.n + 1);
    size_t n = 0;
    if (!to)
        return false;
    for (size_t i = 0; i < inside.n; i++) {
        if (inside.p[i] == '\\')
            i++;
        to[n++] = inside.p[i];
    }
    *out = slice_of(to, n);
    return true;
}

static bool label_ok(struct slice label) {
    if (label.n == 0 || label.n > (utf8_ascii(label) ? ADDRESS_LABEL_MAX : ADDRESS_DOMAIN_MAX))
        return false;
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        if (!ascii_alnum(c) && c != '-' && c != '_' && (uint8_t)c < 0x80)
            return false;
    }
    return label.p[0] != '-' && label.p[label.n - 1] != '-';
}

bool address_domain_ok(struct slice domain) {
    if (domain.n > ADDRESS_DOMAIN_MAX || !utf8_valid(domain))
        return false;
    for (bool more = true; more;) {
        struct slice label;
        more = slice_cut(domain, '.', &label, &domain);
        if (!label_ok(label))
            return false;
    }
    return true;
}

// What is between the brackets (RFC 5321 4.1.3). An IPv6 address needs its tag, and only it may have one.
static bool parse_literal(struct slice inside, struct netaddr *ip) {
    struct slice tag = SLICE("IPv6:");
    struct netaddr found = {0};
    if (slice_istarts(inside, tag)) {
        struct slice text = slice_from(inside, tag.n);
        if (slice_find(text, ':') == text.n || !netaddr_parse_ip(text, &found))
            return false;
    } else if (slice_find(inside, ':') < inside.n || !netaddr_parse_ip(inside, &found)) {
        return false;
    }
    *ip = found;
    return true;
}

static bool parse_domain(struct slice domain, struct address *a) {
    a->domain = domain;
    a->literal = domain.n > 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']';
    if (a->literal)
        return domain.n <= ADDRESS_DOMAIN_MAX && parse_literal(slice_of(domain.p + 1, domain.n - 2), &a->ip);
    return address_domain_ok(domain);
}

static bool refuse(enum address_role role, const char *why, struct err *e) {
    return err_smtp(e, 501, role == ADDRESS_SENDER ? "5.1.7" : "5.1.3", "%s", why);
}

// The local part at the start of `mailbox`; its length as sent in `*length`.
static bool parse_local(struct slice mailbox, struct address *a, size_t *length) {
    a->quoted = mailbox.n && mailbox.p[0] == '"';
    if (!a->quoted) {
        *length = slice_find(mailbox, '@');
        a->local = slice_upto(mailbox, *length);
        return is_dot_string(a->local);
    }
    *length = quoted_length(mailbox);
    if (*length == 0)
        return false;
    a->local = slice_of(mailbox.p + 1, *length - 2);
    return true;
}

bool address_parse(struct slice mailbox, enum address_role role, struct arena *arena, struct address *out,
                   struct err *e) {
    struct address a = {.utf8 = !utf8_ascii(mailbox)};
    size_t length;
    if (mailbox.n > ADDRESS_MAX)
        return refuse(role, "the address is longer than 254 bytes", e);
    if (!utf8_valid(mailbox))
        return refuse(role, "the address is no UTF-8", e);
    if (!parse_local(mailbox, &a, &length))
        return refuse(role, "the part before the @ is malformed", e);
    if (length > ADDRESS_LOCAL_MAX)
        return refuse(role, "the part before the @ is longer than 64 bytes", e);
    struct slice rest = slice_from(mailbox, length);
    bool bare = rest.n == 0 && role == ADDRESS_RECIPIENT && slice_ieq(a.local, SLICE("postmaster"));
    if (!bare && (rest.n == 0 || rest.p[0] != '@' || !parse_domain(slice_from(rest, 1), &a)))
        return refuse(role, rest.n ? "the domain of the address is malformed" : "the address has no domain", e);
    if (a.quoted && slice_find(a.local, '\\') < a.local.n && !unquote(a.local, arena, &a.local))
        return err_set(e, ERR_TEMPORARY, "out of memory for an address");
    *out = a;
    return true;
}

static bool too_large(struct err *e) { return err_set(e, ERR_TEMPORARY, "out of memory for a domain"); }

static bool lower_case(struct slice domain, struct arena *arena, struct slice *out, struct err *e) {
    char *to = arena_alloc(arena, domain.n + 1);
    if (!to)
        return too_large(e);
    for (size_t i = 0; i < domain.n; i++)
        to[i] = ascii_lower(domain.p[i]);
    *out = slice_of(to, domain.n);
    return true;
}

bool address_normalize_domain(struct slice domain, struct arena *arena, struct slice *out, struct err *e) {
    if (!address_domain_ok(domain))
        return err_smtp(e, 553, "5.1.2", "this is no domain");
    if (utf8_ascii(domain))
        return lower_case(domain, arena, out, e);
    struct slice text = arena_dup(arena, domain);
    if (!text.p)
        return too_large(e);
    uint8_t *ascii = NULL;
    int rc = idn2_lookup_u8((const uint8_t *)text.p, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc == IDN2_MALLOC)
        return too_large(e);
    if (rc != IDN2_OK)
        return err_smtp(e, 553, "5.1.2", "the internationalised domain is not valid: %s", idn2_strerror(rc));
    struct slice found = slice_str((const char *)ascii);
    bool ok = address_domain_ok(found) ? lower_case(found, arena, out, e)
                                       : err_smtp(e, 553, "5.1.2", "the internationalised domain is not valid");
    idn2_free(ascii);
    return ok;
}

bool address_normalize(struct address *a, struct arena *arena, struct err *e) {
    if (a->domain.n == 0)
        return true;
    struct slice domain;
    if (a->literal) {
        struct buf text BUF_AUTO = {.max = 64};
        netaddr_add_literal(&text, &a->ip);
        domain = arena_dup(arena, buf_slice(&text));
        if (!domain.p)
            return too_large(e);
    } else if (!address_normalize_domain(a->domain, arena, &domain, e)) {
        return false;
    }
    a->domain = domain;
    a->utf8 = !utf8_ascii(a->local);
    return true;
}

bool address_add_local(struct buf *b, struct slice local) {
    if (is_dot_string(local))
        return buf_add(b, local);
    buf_add_char(b, '"');
    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '"' || local.p[i] == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, local.p[i]);
    }
    return buf_add_char(b, '"');
}

bool address_add(struct buf *b, const struct address *a) {
    address_add_local(b, a->local);
    if (a->domain.n) {
        buf_add_char(b, '@');
        buf_add(b, a->domain);
    }
    return !b->failed;
}

bool address_routing_trick(struct slice local) {
    return slice_find(local, '%') < local.n || slice_find(local, '!') < local.n || slice_find(local, '@') < local.n;
}
