// mailboxes: a walk over the tokens of RFC 5322 3.2.
#include "mail/header/mailboxes.h"

#include "mail/address.h"
#include "mail/header/header.h"

enum { SPEC_BYTES_MAX = 2 * ADDRESS_MAX };

struct reader {
    struct slice rest;
    struct arena *arena;
    struct mailboxes found;
    size_t cap;
    struct err *e;
};

static bool refuse(struct reader *r, const char *why) { return err_smtp(r->e, 550, "5.6.0", "%s", why); }

static bool out_of_memory(struct reader *r) { return err_smtp(r->e, 451, "4.3.0", "out of memory for an address"); }

static char next(const struct reader *r) { return r->rest.n ? r->rest.p[0] : '\0'; }

static void skip(struct reader *r, size_t n) { r->rest = slice_from(r->rest, n); }

static bool is_special(char c) { return c && strchr("()<>[]:;@\\,.\"", c); }

static bool is_control(char c) { return (uint8_t)c < ' ' || c == 0x7f; }

static bool is_atom(char c) { return c != ' ' && !is_control(c) && !is_special(c); }

// Blanks, folding and comments. False: a comment that doesn't end.
static bool skip_blanks(struct reader *r) {
    while (r->rest.n) {
        size_t n = ascii_space(next(r)) ? 1 : next(r) == '(' ? header_comment_length(r->rest) : 0;
        if (n == 0)
            return next(r) != '(' || refuse(r, "a comment doesn't end");
        skip(r, n);
    }
    return true;
}

// An atom or, in a local part, a quoted string; 0 where there is neither.
static size_t word_length(const struct reader *r, bool quoted) {
    size_t n = 0;
    if (quoted && next(r) == '"')
        return header_quoted_length(r->rest);
    while (n < r->rest.n && is_atom(r->rest.p[n]))
        n++;
    return n;
}

// Words with dots between them, blanks around those left out. False when it is none; no error is told yet.
static bool read_dotted(struct reader *r, bool quoted, struct buf *to) {
    for (;;) {
        size_t n = word_length(r, quoted);
        if (n == 0 || !buf_add(to, slice_upto(r->rest, n)))
            return false;
        skip(r, n);
        if (!skip_blanks(r))
            return false;
        if (next(r) != '.')
            return true;
        buf_add_char(to, '.');
        skip(r, 1);
        if (!skip_blanks(r))
            return false;
    }
}

static bool read_domain(struct reader *r, struct buf *to) {
    if (next(r) != '[')
        return read_dotted(r, false, to);
    size_t n = slice_find(r->rest, ']') + 1;
    if (n > r->rest.n || !buf_add(to, slice_upto(r->rest, n)))
        return false;
    skip(r, n);
    return skip_blanks(r);
}

// addr-spec, as "local@domain" in `to`. False when it is none.
static bool read_spec(struct reader *r, struct buf *to) {
    if (!read_dotted(r, true, to) || next(r) != '@')
        return false;
    buf_add_char(to, '@');
    skip(r, 1);
    return skip_blanks(r) && read_domain(r, to);
}

static bool add(struct reader *r, struct slice spec) {
    struct address a;
    char bytes[2 * ADDRESS_MAX + 4];
    struct buf text = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    if (!address_parse(spec, ADDRESS_SENDER, r->arena, &a, r->e) || !address_normalize(&a, r->arena, r->e)) {
        if (r->e->kind == ERR_PERMANENT) { // what they say is meant for an envelope
            r->e->smtp = 550;
            memcpy(r->e->enhanced, (uint16_t[]){5, 6, 0}, sizeof r->e->enhanced);
        }
        return false;
    }
    if (r->found.n == MAILBOXES_MAX)
        return refuse(r, "there are too many addresses");
    if (r->found.n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 1;
        struct slice *more = arena_alloc(r->arena, cap * sizeof *more);
        if (!more)
            return out_of_memory(r);
        if (r->found.n)
            memcpy(more, r->found.list, r->found.n * sizeof *more);
        r->found.list = more;
        r->cap = cap;
    }
    address_add(&text, &a);
    struct slice kept = arena_dup(r->arena, buf_slice(&text));
    if (!kept.p)
        return out_of_memory(r);
    r->found.list[r->found.n++] = kept;
    return true;
}

// A source route of old (RFC 5322 4.4): it says nothing about whose address it is.
static bool skip_route(struct reader *r) {
    char bytes[SPEC_BYTES_MAX];
    while (next(r) == '@' || next(r) == ',') {
        struct buf domain = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes};
        bool named = next(r) == '@';
        skip(r, 1);
        if (!skip_blanks(r) || (named && !read_domain(r, &domain)))
            return false;
        if (next(r) == ':') {
            skip(r, 1);
            return skip_blanks(r);
        }
    }
    return true;
}

// From "<" to ">"; `named` is an address that stood before it, or empty.
static bool read_angle(struct reader *r, struct slice named) {
    char bytes[SPEC_BYTES_MAX];
    struct buf spec = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    skip(r, 1);
    if (!skip_blanks(r) || !skip_route(r) || !read_spec(r, &spec) || next(r) != '>')
        return refuse(r, "what is between < and > is no address");
    skip(r, 1);
    if (named.n && !slice_ieq(named, buf_slice(&spec)))
        return refuse(r, "an address stands as the name of another one; put the name in quotes");
    return add(r, buf_slice(&spec));
}

static bool is_name_byte(char c) { return is_atom(c) || c == '.' || c == '[' || c == ']'; }

// A display name, however sloppy; `*some` when there is one.
static bool skip_name(struct reader *r, bool *some) {
    *some = false;
    for (;;) {
        size_t n = 0;
        if (!skip_blanks(r))
            return false;
        if (next(r) == '"' && (n = header_quoted_length(r->rest)) == 0)
            return refuse(r, "a quoted name doesn't end");
        while (n < r->rest.n && is_name_byte(r->rest.p[n]))
            n++;
        if (n == 0)
            return true;
        *some = true;
        skip(r, n);
    }
}

static bool read_members(struct reader *r);

// What begins with no addr-spec: a name and then an address or a group, or an address between < and > alone.
static bool read_named(struct reader *r, bool in_group) {
    bool some;
    if (!skip_name(r, &some))
        return false;
    if (next(r) == '<')
        return read_angle(r, SLICE_EMPTY);
    if (next(r) == ':' && some && !in_group) {
        skip(r, 1);
        return read_members(r);
    }
    if (next(r) == '@')
        return refuse(r, "there is an @ where a name or a full address is expected; put the name in quotes");
    return refuse(r, some && (r->rest.n == 0 || next(r) == ',') ? "there is an address without a domain"
                                                                : "there is something that is no address");
}

static bool read_one(struct reader *r, bool in_group) {
    char bytes[SPEC_BYTES_MAX];
    struct buf spec = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    struct slice before = r->rest;
    if (read_spec(r, &spec))
        return next(r) == '<' ? read_angle(r, buf_slice(&spec)) : add(r, buf_slice(&spec));
    r->rest = before;
    return read_named(r, in_group);
}

// Elements with commas between them, some of which may be empty, up to the end or to a group's.
static bool read_elements(struct reader *r, bool in_group) {
    for (;;) {
        if (!skip_blanks(r))
            return false;
        if (r->rest.n == 0 || (in_group && next(r) == ';'))
            return true;
        if (next(r) != ',' && !read_one(r, in_group))
            return false;
        if (!skip_blanks(r))
            return false;
        if (next(r) == ',')
            skip(r, 1);
        else if (r->rest.n && !(in_group && next(r) == ';'))
            return refuse(r, "there is something behind an address");
    }
}

static bool read_members(struct reader *r) {
    if (!read_elements(r, true))
        return false;
    if (next(r) != ';')
        return refuse(r, "a group of addresses doesn't end");
    skip(r, 1);
    return true;
}

bool mailboxes_parse(struct slice value, struct arena *arena, struct mailboxes *out, struct err *e) {
    struct err here = {0};
    struct reader r = {.rest = value, .arena = arena, .e = &here};
    if (!read_elements(&r, false)) {
        *e = here;
        return false;
    }
    *out = r.found;
    return true;
}
