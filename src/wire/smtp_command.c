// smtp_command: cutting a command line up.
#include "wire/smtp_command.h"

#include "base/num.h"
#include "base/utf8.h"

static const char *const verb_names[SMTP_VERB_COUNT] = {
    [SMTP_UNKNOWN] = "?", [SMTP_HELO] = "HELO",         [SMTP_EHLO] = "EHLO", [SMTP_MAIL] = "MAIL",
    [SMTP_RCPT] = "RCPT", [SMTP_DATA] = "DATA",         [SMTP_BDAT] = "BDAT", [SMTP_RSET] = "RSET",
    [SMTP_NOOP] = "NOOP", [SMTP_VRFY] = "VRFY",         [SMTP_EXPN] = "EXPN", [SMTP_HELP] = "HELP",
    [SMTP_QUIT] = "QUIT", [SMTP_STARTTLS] = "STARTTLS", [SMTP_AUTH] = "AUTH", [SMTP_XCLIENT] = "XCLIENT",
};

const char *smtp_verb_name(enum smtp_verb v) { return verb_names[v]; }

static struct slice skip_spaces(struct slice s) {
    while (s.n && s.p[0] == ' ')
        s = slice_from(s, 1);
    return s;
}

static struct slice trim_spaces(struct slice s) {
    while (s.n && s.p[s.n - 1] == ' ')
        s.n--;
    return skip_spaces(s);
}

// The next word, and what follows it without the spaces between.
static struct slice take_word(struct slice *rest) {
    struct slice word;
    slice_cut(*rest, ' ', &word, rest);
    *rest = skip_spaces(*rest);
    return word;
}

enum smtp_verb smtp_command_verb(struct slice line) {
    struct slice word = take_word(&line);
    for (int v = SMTP_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++)
        if (slice_ieq(word, slice_str(verb_names[v])))
            return (enum smtp_verb)v;
    return SMTP_UNKNOWN;
}

static bool has_control(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] < ' ' || s.p[i] == 0x7f)
            return true;
    return false;
}

// Index of the first `c` of `s` outside of a quoted string (RFC 5321 4.1.2), or s.n; s.n too when a quote is left open.
static size_t find_unquoted(struct slice s, char c) {
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.p[i] == c)
            return i;
    }
    return s.n;
}

static size_t rfind_unquoted(struct slice s, char c) {
    size_t last = s.n;
    for (size_t from = 0;;) {
        size_t at = find_unquoted(slice_from(s, from), c);
        if (from + at >= s.n)
            return last;
        last = from + at;
        from = last + 1;
    }
}

// "@a.example,@b.example": whatever domains are, they have none of the characters that would hide what comes after.
static bool route_ok(struct slice route) {
    while (route.n) {
        struct slice domain;
        bool more = slice_cut(route, ',', &domain, &route);
        if (domain.n < 2 || domain.p[0] != '@' || (more && route.n == 0))
            return false;
        for (size_t i = 1; i < domain.n; i++) {
            char c = domain.p[i];
            if (!ascii_alnum(c) && c != '-' && c != '.' && (uint8_t)c < 0x80)
                return false;
        }
    }
    return true;
}

static bool cut_path(struct slice inside, struct smtp_path *out) {
    struct smtp_path path = {.whole = inside, .mailbox = inside, .utf8 = !utf8_ascii(inside)};
    if (inside.n && inside.p[0] == '@') {
        if (!slice_cut(inside, ':', &path.route, &path.mailbox) || !route_ok(path.route) || path.mailbox.n == 0)
            return false;
    }
    size_t at = rfind_unquoted(path.mailbox, '@');
    path.local = slice_upto(path.mailbox, at);
    path.domain = slice_from(path.mailbox, at + 1);
    if (at < path.mailbox.n && (path.local.n == 0 || path.domain.n == 0))
        return false;
    *out = path;
    return true;
}

// "<path>" at the start of `*rest`, and a space or the end behind it.
static bool take_path(struct slice *rest, struct smtp_path *out) {
    if (rest->n == 0 || rest->p[0] != '<')
        return false;
    struct slice inside = slice_from(*rest, 1);
    size_t end = find_unquoted(inside, '>');
    struct slice after = slice_from(inside, end + 1);
    if (end == inside.n || (after.n && after.p[0] != ' ') || !cut_path(slice_upto(inside, end), out))
        return false;
    *rest = skip_spaces(after);
    return true;
}

// "FROM:" or "TO:", then the path.
static bool parse_path(struct slice *rest, struct slice lead, const char *enhanced, struct smtp_path *out,
                       struct err *e) {
    if (!slice_istarts(*rest, lead))
        return err_smtp(e, 501, "5.5.4", "syntax: %s%s<address>", lead.n > 3 ? "MAIL " : "RCPT ", lead.p);
    *rest = skip_spaces(slice_from(*rest, lead.n));
    if (!take_path(rest, out))
        return err_smtp(e, 501, enhanced, "this is no address in angle brackets");
    return true;
}

// esmtp-param (RFC 5321 4.1.2): a keyword and perhaps "=value"; `value.p` is NULL where there is no "=".
static bool cut_param(struct slice word, struct slice *keyword, struct slice *value) {
    bool has_value = slice_cut(word, '=', keyword, value);
    if (keyword->n == 0 || !ascii_alnum(keyword->p[0]))
        return false;
    for (size_t i = 0; i < keyword->n; i++)
        if (!ascii_alnum(keyword->p[i]) && keyword->p[i] != '-')
            return false;
    return !has_value || (value->n > 0 && slice_find(*value, '=') == value->n);
}

static bool bad_param(struct err *e, const char *name) {
    return err_smtp(e, 501, "5.5.4", "the parameter %s is malformed or given twice", name);
}

static bool upper_hex(char c) { return ascii_digit(c) || (c >= 'A' && c <= 'F'); }

// RFC 3461 4: "+" stands before two hexadecimal digits only.
static bool xtext_ok(struct slice value) {
    for (size_t i = 0; i < value.n; i++) {
        if ((uint8_t)value.p[i] >= 0x80)
            return false;
        if (value.p[i] == '+' && (value.n - i < 3 || !upper_hex(value.p[i + 1]) || !upper_hex(value.p[i + 2])))
            return false;
    }
    return value.n > 0;
}

static bool mail_param(struct slice keyword, struct slice value, struct smtp_command *c, struct err *e) {
    if (slice_ieq(keyword, SLICE("SIZE"))) {
        if (c->has_size || !num_u64(value, UINT64_MAX, &c->size))
            return bad_param(e, "SIZE");
        c->has_size = true;
        return true;
    }
    if (slice_ieq(keyword, SLICE("BODY"))) {
        bool wide = slice_ieq(value, SLICE("8BITMIME"));
        if (c->body != SMTP_BODY_UNSAID || (!wide && !slice_ieq(value, SLICE("7BIT"))))
            return bad_param(e, "BODY");
        c->body = wide ? SMTP_BODY_8BITMIME : SMTP_BODY_7BIT;
        return true;
    }
    if (slice_ieq(keyword, SLICE("SMTPUTF8"))) {
        if (c->smtputf8 || value.n)
            return bad_param(e, "SMTPUTF8");
        c->smtputf8 = true;
        return true;
    }
    if (slice_ieq(keyword, SLICE("REQUIRETLS"))) {
        if (c->requiretls || value.n)
            return bad_param(e, "REQUIRETLS");
        c->requiretls = true;
        return true;
    }
    if (slice_ieq(keyword, SLICE("AUTH"))) {
        if (c->submitter.n || !xtext_ok(value))
            return bad_param(e, "AUTH");
        c->submitter = value;
        return true;
    }
    return err_smtp(e, 555, "5.5.4", "a parameter of MAIL is not known here");
}

static bool parse_mail(struct slice rest, struct smtp_command *c, struct err *e) {
    if (!parse_path(&rest, SLICE("FROM:"), "5.1.7", &c->path, e))
        return false;
    c->params = rest;
    while (rest.n) {
        struct slice keyword, value;
        if (!cut_param(take_word(&rest), &keyword, &value))
            return err_smtp(e, 501, "5.5.4", "syntax of a parameter");
        if (!mail_param(keyword, value, c, e))
            return false;
    }
    if (c->path.utf8 && !c->smtputf8) // RFC 6531 3.5
        return err_smtp(e, 553, "5.6.7", "this sender address needs the parameter SMTPUTF8");
    return true;
}

static bool parse_rcpt(struct slice rest, struct smtp_command *c, struct err *e) {
    if (!parse_path(&rest, SLICE("TO:"), "5.1.3", &c->path, e))
        return false;
    if (c->path.whole.n == 0)
        return err_smtp(e, 501, "5.1.3", "a recipient's address is never empty");
    struct slice keyword, value;
    if (rest.n == 0)
        return true;
    if (!cut_param(take_word(&rest), &keyword, &value))
        return err_smtp(e, 501, "5.5.4", "syntax of a parameter");
    return err_smtp(e, 555, "5.5.4", "a parameter of RCPT is not known here");
}

// RFC 3030 2: BDAT SP chunk-size [SP LAST].
static bool parse_bdat(struct slice rest, struct smtp_command *c, struct err *e) {
    struct slice size = take_word(&rest);
    c->last = slice_ieq(rest, SLICE("LAST"));
    if (!num_u64(size, UINT64_MAX, &c->chunk) || (rest.n && !c->last))
        return err_smtp(e, 501, "5.5.4", "syntax: BDAT size [LAST]");
    return true;
}

// A domain or an address literal is meant (RFC 5321 4.1.1.1), but clients give all kinds of names: one visible word.
static bool parse_hello(struct slice rest, struct smtp_command *c, struct err *e) {
    if (rest.n == 0 || rest.n > SMTP_NAME_MAX || slice_find(rest, ' ') < rest.n)
        return err_smtp(e, 501, "5.5.4", "syntax: %s hostname", verb_names[c->verb]);
    c->arg = rest;
    return true;
}

static bool parse_text(struct slice rest, bool needed, struct smtp_command *c, struct err *e) {
    if (needed && rest.n == 0)
        return err_smtp(e, 501, "5.5.4", "%s needs an argument", verb_names[c->verb]);
    c->arg = rest;
    return true;
}

static bool parse_nothing(struct slice rest, const struct smtp_command *c, struct err *e) {
    return rest.n == 0 || err_smtp(e, 501, "5.5.4", "%s has no arguments", verb_names[c->verb]);
}

static bool parse_arguments(struct slice rest, struct smtp_command *c, struct err *e) {
    switch (c->verb) {
    case SMTP_HELO:
    case SMTP_EHLO:
        return parse_hello(rest, c, e);
    case SMTP_MAIL:
        return parse_mail(rest, c, e);
    case SMTP_RCPT:
        return parse_rcpt(rest, c, e);
    case SMTP_BDAT:
        return parse_bdat(rest, c, e);
    case SMTP_VRFY:
    case SMTP_EXPN:
    case SMTP_AUTH:
    case SMTP_XCLIENT:
        return parse_text(rest, true, c, e);
    case SMTP_NOOP:
    case SMTP_HELP:
        return parse_text(rest, false, c, e);
    case SMTP_DATA:
    case SMTP_RSET:
    case SMTP_QUIT:
    case SMTP_STARTTLS:
        return parse_nothing(rest, c, e);
    case SMTP_UNKNOWN:
    case SMTP_VERB_COUNT:
        break;
    }
    return err_smtp(e, 500, "5.5.2", "command not recognised");
}

bool smtp_command_parse(struct slice line, struct smtp_command *out, struct err *e) {
    if (has_control(line) || !utf8_valid(line))
        return err_smtp(e, 500, "5.5.2", "the command has a control character or is no UTF-8");
    struct smtp_command c = {.verb = smtp_command_verb(line)};
    take_word(&line);
    if (!parse_arguments(trim_spaces(line), &c, e))
        return false;
    *out = c;
    return true;
}
