// auth_results: one clause a method, each on a line of its own.
#include "mail/header/auth_results.h"

#include "base/printable.h"
#include "mail/header/header.h"

enum { COMMENT_MAX = 200, VALUE_MAX = 320, LINE_WISHED = 78 };

// --- words that strangers chose

// RFC 2045's token, which stands unquoted (RFC 8601 2.2: pvalue).
static bool is_token(char c) { return c > ' ' && c <= '~' && !strchr("()<>@,;:\\\"/[]?=", c); }

// A domain, or local@domain, may stand as it is, too; here only where its own parts are plain.
static bool is_plain(struct slice s) {
    size_t ats = 0;
    for (size_t i = 0; i < s.n; i++) {
        ats += s.p[i] == '@';
        if (!is_token(s.p[i]) && s.p[i] != '@')
            return false;
    }
    return s.n > 0 && (ats == 0 || (ats == 1 && s.p[s.n - 1] != '@'));
}

// What can't be shown becomes "?", byte by byte. UTF-8 stays (RFC 8616).
static void add_quoted(struct buf *out, struct slice s) {
    buf_add_char(out, '"');
    while (s.n) {
        uint32_t code;
        size_t n = printable_decode(s, &code);
        if (n && printable_safe(code) && (*s.p == '"' || *s.p == '\\'))
            buf_add_char(out, '\\');
        if (n && printable_safe(code))
            buf_add(out, slice_upto(s, n));
        else
            buf_add_char(out, '?');
        s = slice_from(s, n ? n : 1);
    }
    buf_add_char(out, '"');
}

static void add_value(struct buf *out, struct slice s) {
    s = slice_upto(s, VALUE_MAX);
    if (is_plain(s))
        buf_add(out, s);
    else
        add_quoted(out, s);
}

// Text in a comment: nothing in it ends it.
static void add_comment(struct buf *out, struct slice text) {
    if (!text.n)
        return;
    text = slice_upto(text, COMMENT_MAX);
    buf_add_str(out, " (");
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        buf_add_char(out, c < ' ' || c > '~' || strchr("()\\", c) ? '?' : c);
    }
    buf_add_char(out, ')');
}

// --- the clauses, each on a line of its own

struct writer {
    struct buf *out;
    unsigned clauses;
};

static size_t line_length(const struct buf *out) {
    size_t lf = slice_rfind(buf_slice(out), '\n');
    return lf < out->n ? out->n - lf - 1 : out->n;
}

static void add_property(struct writer *w, const char *name, struct slice value) {
    if (!value.n)
        return;
    bool folds = line_length(w->out) + strlen(name) + value.n + 2 > LINE_WISHED;
    buf_add_str(w->out, folds ? "\r\n\t " : " ");
    buf_add_str(w->out, name);
    buf_add_char(w->out, '=');
    add_value(w->out, value);
}

static void begin(struct writer *w, const char *method, const char *result) {
    if (w->clauses++)
        buf_add_char(w->out, ';');
    buf_add_str(w->out, "\r\n\t");
    buf_add_str(w->out, method);
    buf_add_char(w->out, '=');
    buf_add_str(w->out, result);
}

static void write_iprev(struct writer *w, const struct auth_results *r) {
    static const char *const names[] = {"pass", "fail", "temperror", "permerror"};
    BUF_AUTO struct buf b = {.max = 64};
    if (r->ip.family == NETADDR_NONE)
        return;
    begin(w, "iprev", names[r->iprev]);
    netaddr_add_ip(&b, &r->ip);
    add_property(w, "policy.iprev", buf_slice(&b));
}

static void write_auth(struct writer *w, const struct auth_results *r) {
    if (!r->user.n)
        return;
    begin(w, "auth", "pass");
    add_property(w, "smtp.auth", r->user);
}

static void write_spf(struct writer *w, const struct spf_verdict *v, const char *property, struct slice value) {
    if (!v)
        return;
    begin(w, "spf", spf_result_name(v->result));
    add_comment(w->out, v->problem);
    add_property(w, property, value);
}

// RFC 6008: header.b tells signatures apart.
static void write_signature(struct writer *w, const struct dkim_verdict *s) {
    begin(w, "dkim", dkim_result_name(dkim_verdict_relied(s)));
    add_comment(w->out, s->why);
    add_property(w, "header.d", s->domain);
    add_property(w, "header.i", s->identity);
    add_property(w, "header.s", s->selector);
    add_property(w, "header.a", s->algorithm);
    add_property(w, "header.b", s->signature);
}

static void write_dkim(struct writer *w, const struct dkim_verify *v) {
    if (!v)
        return;
    if (v->n == 0)
        begin(w, "dkim", "none");
    for (size_t i = 0; i < v->n; i++)
        write_signature(w, &v->list[i]);
}

static void write_dmarc(struct writer *w, const struct dmarc_verdict *v, struct slice from) {
    if (!v)
        return;
    begin(w, "dmarc", dmarc_result_name(v->result));
    add_comment(w->out, v->result == DMARC_PASS ? SLICE_EMPTY : v->why);
    add_property(w, "header.from", from.n ? from : v->from_domain);
    if (v->record_domain.n)
        add_property(w, "policy.dmarc", slice_str(dmarc_policy_name(dmarc_policy_held(v))));
}

static void write_arc(struct writer *w, const struct arc_verify *v) {
    if (!v)
        return;
    begin(w, "arc", arc_result_name(v->verdict.result));
    add_comment(w->out, v->verdict.why);
    if (v->verdict.oldest_pass)
        buf_addf(w->out, " header.oldest-pass=%u", v->verdict.oldest_pass);
    add_property(w, "header.d", v->verdict.domain);
}

static void write_all(struct writer *w, const struct auth_results *r) {
    write_auth(w, r);
    write_iprev(w, r);
    if (r->spf && r->spf->helo)
        write_spf(w, r->spf, "smtp.helo", r->helo);
    else
        write_spf(w, r->spf, "smtp.mailfrom", r->spf_sender);
    write_spf(w, r->helo_spf, "smtp.helo", r->helo);
    write_dkim(w, r->dkim);
    write_dmarc(w, r->dmarc, r->from);
    write_arc(w, r->arc);
    if (w->clauses == 0)
        buf_add_str(w->out, " none");
}

bool auth_results_write(const struct auth_results *r, struct buf *out) {
    struct writer w = {.out = out};
    buf_add_str(out, "Authentication-Results: ");
    add_value(out, r->authserv);
    buf_add_char(out, ';');
    write_all(&w, r);
    return buf_add_str(out, "\r\n") && !out->failed;
}

// --- forged ones

struct scan {
    struct slice rest;
    bool broken; // a comment or a quoted string doesn't end, or what stands bare is no token
};

static char next(const struct scan *s) { return s->rest.n ? s->rest.p[0] : '\0'; }

static void skip(struct scan *s, size_t n) { s->rest = slice_from(s->rest, n); }

static void skip_comment(struct scan *s) {
    size_t n = header_comment_length(s->rest);
    s->broken |= n == 0;
    skip(s, n ? n : s->rest.n);
}

static void skip_blanks(struct scan *s) {
    while (s->rest.n && (ascii_space(next(s)) || next(s) == '(')) {
        if (next(s) == '(')
            skip_comment(s);
        else
            skip(s, 1);
    }
}

// What a quoted string means, or a bare word; blanks inside a quoted string don't count, since somebody else may fold
// there. False: `word` is full.
static bool add_word(struct buf *word, char c) { return ascii_space(c) || buf_add_char(word, ascii_lower(c)); }

static bool read_quoted(struct scan *s, struct buf *word) {
    bool fits = true;
    skip(s, 1);
    while (s->rest.n && next(s) != '"') {
        if (next(s) == '\\')
            skip(s, 1);
        if (s->rest.n)
            fits &= add_word(word, next(s));
        skip(s, 1);
    }
    s->broken |= s->rest.n == 0;
    skip(s, 1);
    return fits;
}

// "host/1" and "<host>" are no words; others may find one in them.
static bool read_bare(struct scan *s, struct buf *word) {
    bool fits = true;
    for (; s->rest.n && !ascii_space(next(s)) && !strchr("\";(=", next(s)); skip(s, 1)) {
        s->broken |= !is_token(next(s)) && !(next(s) & 0x80);
        fits &= add_word(word, next(s));
    }
    return fits;
}

static bool is_ours(struct slice name, struct slice ours) {
    while (slice_ends(name, SLICE(".")))
        name.n--;
    if (name.n < ours.n || !slice_ieq(slice_from(name, name.n - ours.n), ours))
        return false;
    return name.n == ours.n || name.p[name.n - ours.n - 1] == '.';
}

static bool names_us(struct slice text, struct slice ours) {
    for (size_t i = 0; i + ours.n <= text.n; i++)
        if (slice_ieq(slice_of(text.p + i, ours.n), ours))
            return true;
    return false;
}

// ARC's has an instance in front: "i=1;".
static struct slice skip_instance(struct slice value) {
    struct scan s = {.rest = value};
    skip_blanks(&s);
    if (ascii_lower(next(&s)) != 'i')
        return value;
    skip(&s, 1);
    skip_blanks(&s);
    if (next(&s) != '=')
        return value;
    skip(&s, 1);
    skip_blanks(&s);
    while (ascii_digit(next(&s)))
        skip(&s, 1);
    skip_blanks(&s);
    if (next(&s) != ';')
        return value;
    skip(&s, 1);
    return s.rest;
}

// What stands before the first semicolon in any reading: of the bytes, or past comments and quotes.
static struct slice before_results(struct slice value, size_t read) {
    size_t semicolon = slice_find(value, ';');
    return slice_upto(value, semicolon > read ? semicolon : read);
}

bool auth_results_forged(struct slice value, struct slice ours) {
    char text[VALUE_MAX];
    struct buf word = {.p = text, .cap = sizeof text, .max = sizeof text};
    value = skip_instance(value);
    struct scan s = {.rest = value};
    skip_blanks(&s);
    bool fits = next(&s) == '"' ? read_quoted(&s, &word) : read_bare(&s, &word);
    skip_blanks(&s);
    while (ascii_digit(next(&s))) // the version
        skip(&s, 1);
    skip_blanks(&s);
    if (fits && is_ours(buf_slice(&word), ours))
        return true;
    bool readable = fits && word.n && !s.broken && (s.rest.n == 0 || next(&s) == ';');
    return !readable && names_us(before_results(value, value.n - s.rest.n), ours);
}
