// oracle_zone_read: reads the lines of a zone. What a line begins with is found out by what it is, not by where it
// stands, as far as that can be told.
#include "mail/oracle/oracle_zone_inside.h"

#include "base/num.h"
#include "base/utf8.h"
#include "mail/address.h"

#include <inttypes.h>

enum word_kind { WORD_END, WORD_PLAIN, WORD_QUOTED, WORD_BROKEN };

struct word {
    enum word_kind kind;
    struct slice raw;  // escapes as they are written, without the quotes
    const char *start; // quotes included
};

struct reader {
    struct oracle_zone *z;
    struct slice rest;
    size_t line;  // of `rest`
    size_t depth; // of parentheses
    struct err *e;
};

static bool wrong(struct reader *r, const char *expected, struct slice found) {
    if (found.p)
        return err_set(r->e, ERR_PERMANENT, "line %zu: expected %s, found \"%.*s\"", r->line, expected,
                       SLICE_ARG(slice_upto(found, 60)));
    return err_set(r->e, ERR_PERMANENT, "line %zu: expected %s", r->line, expected);
}

static bool full(struct reader *r) {
    return err_set(r->e, ERR_TEMPORARY, "line %zu: there are too many records", r->line);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

static char peek(const struct reader *r) { return r->rest.n ? r->rest.p[0] : '\n'; }

static void step(struct reader *r) {
    if (peek(r) == '\n')
        r->line++;
    r->rest = slice_from(r->rest, 1);
}

static void skip_comment(struct reader *r) {
    while (r->rest.n && peek(r) != '\n')
        step(r);
}

// To the next word or the end of the line; a comment and, within parentheses, lines are passed over.
static void skip_blanks(struct reader *r) {
    while (r->rest.n) {
        char c = peek(r);
        if (c == ';')
            skip_comment(r);
        else if (is_blank(c) || c == '(' || (c == ')' && r->depth > 0) || (c == '\n' && r->depth > 0)) {
            r->depth += c == '(';
            r->depth -= c == ')';
            step(r);
        } else
            return;
    }
}

static struct word quoted(struct reader *r) {
    struct word w = {WORD_QUOTED, SLICE_EMPTY, r->rest.p};
    size_t n = 1;
    while (n < r->rest.n && r->rest.p[n] != '"' && r->rest.p[n] != '\n')
        n += r->rest.p[n] == '\\' ? 2 : 1;
    if (n >= r->rest.n || r->rest.p[n] == '\n') {
        wrong(r, "a closing quote", slice_upto(r->rest, n));
        w.kind = WORD_BROKEN;
        return w;
    }
    w.raw = slice_of(r->rest.p + 1, n - 1);
    r->rest = slice_from(r->rest, n + 1);
    return w;
}

// `text`: that of a TXT record, which may hold semicolons and parentheses.
static struct word next_word(struct reader *r, bool text) {
    skip_blanks(r);
    char c = peek(r);
    if (c == '\n')
        return (struct word){.kind = WORD_END};
    if (c == '"')
        return quoted(r);
    size_t n = 0;
    for (; n < r->rest.n; n++) {
        c = r->rest.p[n];
        if (is_blank(c) || c == '\n' || (!text && (c == ';' || c == '(' || c == '"')) || (c == ')' && r->depth > 0))
            break;
        if (c == '\\' && n + 1 < r->rest.n && r->rest.p[n + 1] != '\n')
            n++;
    }
    struct word w = {WORD_PLAIN, slice_of(r->rest.p, n), r->rest.p};
    r->rest = slice_from(r->rest, n);
    return w;
}

// A character that may be escaped as \DDD or \X.
static char take_char(struct slice *s, bool *escaped) {
    *escaped = s->p[0] == '\\' && s->n > 1;
    size_t n = 1;
    char c = s->p[0];
    if (*escaped) {
        uint64_t code;
        if (s->n >= 4 && num_u64(slice_of(s->p + 1, 3), 255, &code)) {
            c = (char)(uint8_t)code;
            n = 4;
        } else {
            c = s->p[1];
            n = 2;
        }
    }
    *s = slice_from(*s, n);
    return c;
}

// ---- names

// `fits` says whether DNS could have such a name.
static bool read_name(struct reader *r, struct slice raw, struct zone_name *out, bool *fits) {
    const struct slice all = raw;
    *fits = true;
    if (slice_eq(raw, SLICE("@"))) {
        *out = r->z->origin;
        return true;
    }
    struct zone_name name = {.n = 0};
    char label[ZONE_LABEL_MAX + 1]; // and one more shows that it is too long
    size_t n = 0;
    bool escaped, dot = false;
    while (raw.n) {
        char c = take_char(&raw, &escaped);
        dot = c == '.' && !escaped;
        if (!dot && n < sizeof label)
            label[n++] = c;
        if (dot && n == 0 && (raw.n || all.n > 1))
            return wrong(r, "a name without empty labels", all);
        if ((dot || raw.n == 0) && n) {
            *fits &= zone_name_add(&name, slice_of(label, n));
            n = 0;
        }
    }
    if (!dot && r->z->origin.n) {
        *fits &= name.n + r->z->origin.n < ZONE_NAME_MAX;
        for (size_t i = 0; i < r->z->origin.n && name.n < ZONE_NAME_MAX; i++)
            name.bytes[name.n++] = r->z->origin.bytes[i];
    }
    *out = name;
    return true;
}

// A name as it comes in an answer; `*fits` is false as well where it can't be written down (dns_answer.h).
static bool read_target(struct reader *r, struct slice raw, struct slice *out, bool *fits) {
    struct zone_name name;
    if (!read_name(r, raw, &name, fits))
        return false;
    char text[ZONE_NAME_MAX];
    size_t n = 0;
    for (size_t at = 0; *fits && at < name.n; at += (size_t)(uint8_t)name.bytes[at] + 1) {
        if (n)
            text[n++] = '.';
        for (size_t i = 1; i <= (uint8_t)name.bytes[at]; i++) {
            char c = name.bytes[at + i];
            *fits &= c > ' ' && c < 0x7f && c != '.';
            text[n++] = c;
        }
    }
    *out = arena_dup(&r->z->arena, slice_of(text, n));
    return out->p || full(r);
}

// ---- the front of a line

static const struct {
    const char *name;
    enum oracle_status status;
} pseudo[] = {{"TIMEOUT", ORACLE_TIMEOUT}, {"SERVFAIL", ORACLE_FAILED}, {"NXDOMAIN", ORACLE_NXDOMAIN}};

static bool is_pseudo(const struct word *w, enum oracle_status *status) {
    for (size_t i = 0; w->kind == WORD_PLAIN && i < sizeof pseudo / sizeof *pseudo; i++)
        if (slice_ieq(w->raw, slice_str(pseudo[i].name))) {
            *status = pseudo[i].status;
            return true;
        }
    return false;
}

static bool is_type(const struct word *w, uint16_t *type) {
    static const struct {
        const char *name;
        uint16_t type;
    } known[] = {{"A", ORACLE_A},     {"AAAA", ORACLE_AAAA}, {"MX", ORACLE_MX},
                 {"PTR", ORACLE_PTR}, {"TXT", ORACLE_TXT},   {"CNAME", ZONE_TYPE_CNAME}};
    static const char *const others[] = {
        // what IANA knows that could stand in a zone
        "SPF",     "NS",         "SOA",        "SRV",      "CAA",   "TLSA",    "DS",    "DNSKEY", "RRSIG",  "NSEC",
        "NSEC3",   "NSEC3PARAM", "HINFO",      "NAPTR",    "SSHFP", "LOC",     "DNAME", "SMIMEA", "HTTPS",  "SVCB",
        "RP",      "WKS",        "OPENPGPKEY", "URI",      "CDS",   "CDNSKEY", "HIP",   "AFSDB",  "CERT",   "APL",
        "NULL",    "MD",         "MF",         "MB",       "MG",    "MR",      "MINFO", "X25",    "ISDN",   "RT",
        "NSAP",    "NSAP-PTR",   "SIG",        "KEY",      "PX",    "GPOS",    "NXT",   "EID",    "NIMLOC", "ATMA",
        "KX",      "A6",         "SINK",       "IPSECKEY", "DHCID", "NINFO",   "RKEY",  "TALINK", "CSYNC",  "ZONEMD",
        "DSYNC",   "NID",        "L32",        "L64",      "LP",    "EUI48",   "EUI64", "AVC",    "DOA",    "AMTRELAY",
        "RESINFO", "WALLET",     "CLA",        "IPN",      "TA",    "DLV"};
    if (w->kind != WORD_PLAIN)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_ieq(w->raw, slice_str(known[i].name))) {
            *type = known[i].type;
            return true;
        }
    *type = ZONE_TYPE_OTHER;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (slice_ieq(w->raw, slice_str(others[i])))
            return true;
    uint64_t number;
    return slice_istarts(w->raw, SLICE("TYPE")) && num_u64(slice_from(w->raw, 4), 65535, &number);
}

// Seconds, or as "1h30m".
static bool is_ttl(const struct word *w, uint32_t *ttl) {
    static const char units[] = "smhdw";
    static const uint32_t seconds[] = {1, 60, 3600, 86400, 604800};
    uint64_t sum = 0, part = 0;
    bool digit = false;
    if (w->kind != WORD_PLAIN || !ascii_digit(w->raw.p[0]))
        return false;
    for (size_t i = 0; i < w->raw.n && sum + part <= UINT32_MAX; i++) {
        char c = ascii_lower(w->raw.p[i]);
        const char *unit = c ? strchr(units, c) : NULL;
        if (ascii_digit(c)) {
            part = part * 10 + (uint64_t)(c - '0');
        } else if (digit && unit) {
            sum += part * seconds[unit - units];
            part = 0;
        } else {
            return false;
        }
        digit = ascii_digit(c);
    }
    *ttl = (uint32_t)num_min(sum + part, INT32_MAX); // RFC 2181 8
    return true;
}

static bool is_class(const struct word *w) { return w->kind == WORD_PLAIN && slice_ieq(w->raw, SLICE("IN")); }

static bool is_front(const struct word *w) {
    uint32_t ttl;
    uint16_t type;
    enum oracle_status status;
    return is_ttl(w, &ttl) || is_class(w) || is_type(w, &type) || is_pseudo(w, &status);
}

// ---- data

static bool read_ip(struct reader *r, const struct word *w, struct zone_record *to, bool *fits) {
    bool v6 = to->type == ORACLE_AAAA;
    const char *expected = v6 ? "an IPv6 address" : "an IPv4 address";
    if (w->kind == WORD_END || !netaddr_parse_ip(w->raw, &to->data.ip) || v6 != (slice_find(w->raw, ':') < w->raw.n))
        return wrong(r, expected, w->raw);
    *fits = v6 == (to->data.ip.family == NETADDR_V6); // an IPv4 address dressed as IPv6 isn't used by anybody
    return true;
}

static bool read_text(struct reader *r, struct word w, struct zone_record *to) {
    if (w.kind == WORD_END)
        return wrong(r, "a text", SLICE_EMPTY);
    struct buf text = {.max = 65535};
    struct word before = {.kind = WORD_END};
    for (; w.kind == WORD_PLAIN || w.kind == WORD_QUOTED; w = next_word(r, true)) {
        if (before.kind == WORD_PLAIN && w.kind == WORD_PLAIN) {
            const char *end = before.raw.p + before.raw.n;
            struct slice gap = slice_of(end, (size_t)(w.raw.p - end));
            buf_add(&text, slice_find(gap, '\n') < gap.n ? SLICE_EMPTY : gap);
        }
        for (struct slice s = w.raw; s.n;) {
            bool escaped;
            buf_add_char(&text, take_char(&s, &escaped));
        }
        before = w;
    }
    to->data.text = arena_dup(&r->z->arena, buf_slice(&text));
    bool ok = !text.failed;
    buf_done(&text);
    if (w.kind == WORD_BROKEN)
        return false;
    if (!ok)
        return wrong(r, "a text of 65535 bytes at most", SLICE_EMPTY);
    return to->data.text.p || full(r);
}

static bool read_host(struct reader *r, struct word w, struct zone_record *to, bool *fits) {
    uint64_t preference;
    if (to->type == ORACLE_MX && w.kind == WORD_PLAIN && num_u64(w.raw, UINT16_MAX, &preference)) {
        to->data.preference = (uint16_t)preference;
        w = next_word(r, false);
    }
    if (w.kind == WORD_BROKEN)
        return false;
    if (w.kind == WORD_END)
        return wrong(r, to->type == ORACLE_MX ? "a preference and a name" : "a name", SLICE_EMPTY);
    if (to->type != ZONE_TYPE_CNAME)
        return read_target(r, w.raw, &to->data.text, fits);
    struct zone_name name;
    if (!read_name(r, w.raw, &name, fits))
        return false;
    to->data.text = arena_dup(&r->z->arena, zone_name_slice(&name));
    return to->data.text.p || full(r);
}

static bool at_end(struct reader *r) {
    struct word w = next_word(r, false);
    return w.kind == WORD_END || (w.kind != WORD_BROKEN && wrong(r, "the end of the line", w.raw));
}

static bool skip_data(struct reader *r) {
    struct word w;
    do {
        w = next_word(r, false);
    } while (w.kind == WORD_PLAIN || w.kind == WORD_QUOTED);
    return w.kind == WORD_END;
}

// What follows the type. `*fits` becomes false where the record can't be in an answer.
static bool read_data(struct reader *r, struct zone_record *to, bool *fits) {
    if (to->type == ZONE_TYPE_OTHER)
        return skip_data(r);
    struct word w = next_word(r, to->type == ORACLE_TXT);
    if (w.kind == WORD_BROKEN)
        return false;
    if (is_pseudo(&w, &to->status))
        return at_end(r);
    if (to->type == ORACLE_TXT)
        return read_text(r, w, to);
    bool ok = to->type == ORACLE_A || to->type == ORACLE_AAAA ? read_ip(r, &w, to, fits) : read_host(r, w, to, fits);
    return ok && at_end(r);
}

// ---- lines

// The name in A-labels (RFC 5890 2.3.2.1), where that is another one. Nobody asks DNS for U-labels but macros of SPF.
static bool in_a_labels(const struct zone_name *name, struct zone_name *out) {
    ARENA_AUTO struct arena arena = {.max = 4096};
    bool other = false;
    *out = (struct zone_name){.n = 0};
    for (size_t at = 0; at < name->n; at += (size_t)(uint8_t)name->bytes[at] + 1) {
        struct slice label = slice_of(name->bytes + at + 1, (uint8_t)name->bytes[at]), ascii = label;
        if (!utf8_ascii(label) && !address_normalize_domain(label, &arena, &ascii, NULL))
            return false;
        other |= ascii.p != label.p;
        if (!zone_name_add(out, ascii))
            return false;
    }
    return other;
}

static bool keep_as(struct reader *r, const struct zone_name *owner, const struct zone_record *record, bool fits) {
    struct zone_node *node = zone_node_make(r->z, zone_name_slice(owner), record->status == ORACLE_NXDOMAIN);
    return (node && (!fits || zone_node_add(r->z, node, record))) || full(r);
}

static bool keep(struct reader *r, const struct zone_record *record, bool fits) {
    struct zone_name ascii;
    if (r->z->skip)
        return true;
    return keep_as(r, &r->z->owner, record, fits) &&
           (!in_a_labels(&r->z->owner, &ascii) || keep_as(r, &ascii, record, fits));
}

static bool read_record(struct reader *r, struct word w) {
    struct zone_record record = {.ttl = r->z->ttl, .type = ZONE_TYPE_ANY};
    while (is_ttl(&w, &record.ttl) || is_class(&w))
        w = next_word(r, false);
    if (w.kind == WORD_BROKEN)
        return false;
    bool fits = true;
    if (is_pseudo(&w, &record.status)) {
        w = next_word(r, false);
        if (w.kind != WORD_END && !is_type(&w, &record.type))
            return w.kind != WORD_BROKEN && wrong(r, "the end of the line", w.raw);
        if (w.kind != WORD_END && !at_end(r))
            return false;
    } else if (!is_type(&w, &record.type)) {
        return wrong(r, "a type as A, AAAA, MX, PTR, TXT, CNAME, TIMEOUT, SERVFAIL or NXDOMAIN", w.raw);
    } else if (!read_data(r, &record, &fits)) {
        return false;
    }
    return keep(r, &record, fits);
}

static bool read_directive(struct reader *r, struct slice name) {
    struct word w = next_word(r, false);
    bool fits = true;
    if (w.kind == WORD_BROKEN)
        return false;
    if (slice_ieq(name, SLICE("$ORIGIN"))) {
        struct zone_name origin;
        if (w.kind == WORD_END)
            return wrong(r, "a name", SLICE_EMPTY);
        if (!read_name(r, w.raw, &origin, &fits))
            return false;
        if (!fits)
            return wrong(r, "a name of 255 bytes at most with labels of 63", w.raw);
        r->z->origin = origin;
        if (!r->z->has_owner)
            r->z->owner = origin;
    } else if (slice_ieq(name, SLICE("$TTL"))) {
        if (!is_ttl(&w, &r->z->ttl))
            return wrong(r, "a number of seconds", w.raw);
    } else {
        return wrong(r, "$ORIGIN or $TTL", name);
    }
    return at_end(r);
}

static bool read_line(struct reader *r) {
    bool indented = is_blank(peek(r));
    skip_blanks(r);
    if (peek(r) == '#') { // no comment by the RFC, and no name that anybody has
        skip_comment(r);
        return true;
    }
    struct word w = next_word(r, false);
    if (w.kind == WORD_END || w.kind == WORD_BROKEN)
        return w.kind == WORD_END;
    if (w.kind == WORD_PLAIN && w.raw.n && w.raw.p[0] == '$')
        return read_directive(r, w.raw);
    if (!(indented && is_front(&w))) {
        bool fits;
        if (!read_name(r, w.raw, &r->z->owner, &fits))
            return false;
        r->z->skip = !fits;
        r->z->has_owner = true;
        w = next_word(r, false);
    } else if (!r->z->has_owner && r->z->origin.n == 0) {
        return wrong(r, "a name at the beginning of the line", w.raw);
    }
    return read_record(r, w);
}

bool oracle_zone_read(struct oracle_zone *z, struct slice text, struct err *e) {
    struct reader r = {.z = z, .rest = text, .line = 1, .e = e};
    if (text.n > ORACLE_ZONE_TEXT_MAX)
        return err_set(e, ERR_PERMANENT, "it is larger than %d bytes", ORACLE_ZONE_TEXT_MAX);
    if (slice_starts(text, SLICE("\xef\xbb\xbf")))
        r.rest = slice_from(text, 3);
    while (r.rest.n) {
        if (!read_line(&r))
            return false;
        if (r.depth)
            return wrong(&r, "a closing parenthesis", SLICE_EMPTY);
        step(&r);
    }
    return true;
}
