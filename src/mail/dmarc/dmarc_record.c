// dmarc_record: tags one after another, each by a row of a table.
#include "mail/dmarc/dmarc_record.h"

#include "base/num.h"
#include "mail/dmarc/report_uri.h"

#include <stdarg.h>
#include <stdio.h>

enum { TAGS_MAX = 64, SIZE_DIGITS = 18 };

enum which { TAG_P, TAG_SP, TAG_NP, TAG_ADKIM, TAG_ASPF, TAG_T, TAG_PSD, TAG_FO, TAG_RUA, TAG_RUF, TAG_OLD };

struct reader {
    struct slice text;
    struct dmarc_record r;
    struct slice names[TAGS_MAX];
    size_t names_n;
    bool has_p, has_sp, has_np, has_rua;
    size_t p_place;          // which of the names is p
    struct slice bad_policy; // a value of p, sp or np that is none
    struct err wrong;        // first of all
};

// The first thing that is wrong, with its column. Returns false.
__attribute__((format(printf, 3, 4))) static bool wrong(struct reader *r, struct slice where, const char *format, ...) {
    char text[128];
    va_list args;
    if (r->wrong.text[0])
        return false;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t column = where.p ? (size_t)(where.p - r->text.p) + 1 : r->text.n + 1;
    return err_set(&r->wrong, ERR_PERMANENT, "column %zu: %s", column, text);
}

// --- URIs

// RFC 7489 6.2 had a size behind an exclamation mark; it is to be ignored.
static bool cut_size(struct slice *uri) {
    struct slice size;
    uint64_t value;
    if (!slice_cut(*uri, '!', uri, &size))
        return true;
    if (size.n && strchr("kmgt", ascii_lower(size.p[size.n - 1])))
        size.n--;
    return size.n <= SIZE_DIGITS && num_u64(size, UINT64_MAX, &value);
}

static bool is_mailto(struct slice uri) {
    ARENA_AUTO struct arena arena = {.max = 16 * 1024};
    struct slice mailbox;
    return report_uri_mailbox(uri, &arena, &mailbox);
}

// What isn't mailto: is a URI we don't know; it isn't kept (4.7: unsupported ones are ignored).
static bool read_uri(struct reader *r, struct slice uri, struct slice *list, size_t *n, bool *some) {
    struct slice whole = uri = slice_trim(uri);
    if (!cut_size(&uri) || !report_uri_ok(uri))
        return wrong(r, whole, "this is no URI");
    if (!report_uri_is_mail(uri)) {
        *some = true;
        return true;
    }
    if (!is_mailto(uri))
        return wrong(r, whole, "this is no mailto: URI with an address");
    *some = true;
    if (*n < DMARC_URIS_MAX)
        list[(*n)++] = uri;
    return true;
}

static bool read_uris(struct reader *r, struct slice value, struct slice *list, size_t *n, bool *some) {
    struct slice one;
    bool ok = true, more = true;
    while (more) {
        more = slice_cut(value, ',', &one, &value);
        ok &= read_uri(r, one, list, n, some);
    }
    return ok;
}

// --- values

static bool is(struct slice value, const char *word) { return slice_ieq(value, slice_str(word)); }

static bool read_policy(struct reader *r, struct slice value, enum dmarc_policy *to, bool *has) {
    *has = true;
    for (int p = DMARC_POLICY_NONE; p <= DMARC_POLICY_REJECT; p++)
        if (is(value, dmarc_policy_name((enum dmarc_policy)p))) {
            *to = (enum dmarc_policy)p;
            return true;
        }
    r->bad_policy = r->bad_policy.p ? r->bad_policy : value;
    return false;
}

static bool read_either(struct reader *r, struct slice value, const char *no, const char *yes, bool *to) {
    if (!is(value, no) && !is(value, yes))
        return wrong(r, value, "this is %s or %s", no, yes);
    *to = is(value, yes);
    return true;
}

static bool read_psd(struct reader *r, struct slice value) {
    if (!is(value, "y") && !is(value, "n") && !is(value, "u"))
        return wrong(r, value, "psd is y, n or u");
    r->r.psd = is(value, "y") ? DMARC_PSD_YES : is(value, "n") ? DMARC_PSD_NO : DMARC_PSD_UNKNOWN;
    return true;
}

static bool read_fo(struct reader *r, struct slice value) {
    struct slice one;
    bool ok = true, more = true;
    r->r.fo_0 = false;
    while (more) {
        more = slice_cut(value, ':', &one, &value);
        one = slice_trim(one);
        r->r.fo_0 |= is(one, "0");
        r->r.fo_1 |= is(one, "1");
        r->r.fo_d |= is(one, "d");
        r->r.fo_s |= is(one, "s");
        if (!is(one, "0") && !is(one, "1") && !is(one, "d") && !is(one, "s"))
            ok = wrong(r, one, "fo is 0, 1, d, s or several of these with colons between");
    }
    if (!r->r.fo_1 && !r->r.fo_d && !r->r.fo_s)
        r->r.fo_0 = true;
    return ok;
}

// Tags of RFC 7489 that receivers of today ignore.
static bool check_old(struct reader *r, struct slice name, struct slice value) {
    uint64_t number;
    if (is(name, "pct") && !num_u64(value, 100, &number))
        return wrong(r, value, "pct is a number from 0 to 100");
    if (is(name, "ri") && !num_u64(value, UINT32_MAX, &number))
        return wrong(r, value, "ri is a number of seconds");
    if (is(name, "rf") && !is(value, "afrf"))
        return wrong(r, value, "rf is afrf");
    return true;
}

static const struct tag {
    const char *name;
    enum which which;
} tags[] = {
    {"p", TAG_P},     {"sp", TAG_SP},   {"np", TAG_NP},  {"adkim", TAG_ADKIM}, {"aspf", TAG_ASPF},
    {"t", TAG_T},     {"psd", TAG_PSD}, {"fo", TAG_FO},  {"rua", TAG_RUA},     {"ruf", TAG_RUF},
    {"pct", TAG_OLD}, {"ri", TAG_OLD},  {"rf", TAG_OLD},
};

static bool read_known(struct reader *r, enum which which, struct slice name, struct slice value) {
    bool ignored = false;
    switch (which) {
    case TAG_P:
        r->p_place = r->names_n - 1;
        return read_policy(r, value, &r->r.policy, &r->has_p);
    case TAG_SP:
        return read_policy(r, value, &r->r.subdomain, &r->has_sp);
    case TAG_NP:
        return read_policy(r, value, &r->r.missing, &r->has_np);
    case TAG_ADKIM:
        return read_either(r, value, "r", "s", &r->r.strict_dkim);
    case TAG_ASPF:
        return read_either(r, value, "r", "s", &r->r.strict_spf);
    case TAG_T:
        return read_either(r, value, "n", "y", &r->r.testing);
    case TAG_PSD:
        return read_psd(r, value);
    case TAG_FO:
        return read_fo(r, value);
    case TAG_RUA:
        return read_uris(r, value, r->r.rua, &r->r.rua_n, &r->has_rua);
    case TAG_RUF:
        return read_uris(r, value, r->r.ruf, &r->r.ruf_n, &ignored);
    default:
        return check_old(r, name, value);
    }
}

// --- the list

static bool is_tag_name(struct slice name) {
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_alnum(name.p[i]) && name.p[i] != '_')
            return false;
    return name.n > 0 && ascii_alpha(name.p[0]);
}

static bool is_value(struct slice value) {
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < ' ' || value.p[i] > '~')
            return false;
    return value.n > 0;
}

// False: the whole list is none (RFC 6376 3.2: a name that comes twice).
static bool add_name(struct reader *r, struct slice name) {
    for (size_t i = 0; i < r->names_n; i++)
        if (slice_ieq(name, r->names[i]))
            return wrong(r, name, "%.*s= comes twice", (int)(name.n < 20 ? name.n : 20), name.p);
    if (r->names_n == TAGS_MAX)
        return wrong(r, name, "more than %d tags", TAGS_MAX);
    r->names[r->names_n++] = name;
    return true;
}

// What is no tag is passed over (4.7).
static bool read_tag(struct reader *r, struct slice tag) {
    struct slice name, value, whole = slice_trim(tag);
    if (!slice_cut(tag, '=', &name, &value)) {
        wrong(r, whole.n ? whole : tag, "a tag and = are wanted here");
        return true;
    }
    name = slice_trim(name);
    value = slice_trim(value);
    if (!is_tag_name(name)) {
        wrong(r, whole, "a tag's name is of letters");
        return true;
    }
    if (!add_name(r, name))
        return false;
    if (!is_value(value))
        wrong(r, value.n ? value : whole, "a value of printing characters is wanted here");
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (is(name, tags[i].name))
            read_known(r, tags[i].which, name, value);
    return true;
}

// "v" equals %s"DMARC1" (4.8); only what comes after "=" depends on case.
static bool read_version(struct reader *r, struct slice tag) {
    struct slice name, value;
    bool cut = slice_cut(tag, '=', &name, &value);
    if (!cut || !tag.n || ascii_space(tag.p[0]) || !is(slice_trim(name), "v") ||
        !slice_eq(slice_trim(value), SLICE("DMARC1")))
        return wrong(r, tag.n ? tag : r->text, "a record begins with v=DMARC1, and a semicolon if there is more");
    r->names[r->names_n++] = slice_trim(name);
    return true;
}

static bool read_tags(struct reader *r) {
    struct slice rest, tag;
    bool more = slice_cut(r->text, ';', &tag, &rest);
    if (!read_version(r, tag))
        return false;
    while (more) {
        more = slice_cut(rest, ';', &tag, &rest);
        if (!more && slice_trim(tag).n == 0)
            break;
        if (!read_tag(r, tag))
            return false;
    }
    return true;
}

// 4.7: sp is p unless given, np is sp. 4.10.1: mistakes in them make p=none of a record that wants reports.
static bool fill_policies(struct reader *r) {
    struct dmarc_record *d = &r->r;
    if (!r->has_p || r->bad_policy.p) {
        d->policy = d->subdomain = d->missing = DMARC_POLICY_NONE;
        if (!r->has_rua && r->bad_policy.p)
            wrong(r, r->bad_policy, "a policy is none, quarantine or reject");
        else if (!r->has_rua)
            wrong(r, SLICE_EMPTY, "p= is missing");
        return r->has_rua;
    }
    if (!r->has_sp)
        d->subdomain = d->policy;
    if (!r->has_np)
        d->missing = d->subdomain;
    return true;
}

static enum dmarc_text read_all(struct reader *r) {
    r->r.fo_0 = true;
    if (!read_tags(r))
        return DMARC_TEXT_FOREIGN;
    return fill_policies(r) ? DMARC_TEXT_POLICY : DMARC_TEXT_UNUSABLE;
}

enum dmarc_text dmarc_record_read(struct slice text, struct dmarc_record *out, struct err *e) {
    struct reader r = {.text = text};
    enum dmarc_text what = read_all(&r);
    if (what != DMARC_TEXT_FOREIGN)
        *out = r.r;
    if (what != DMARC_TEXT_POLICY && e)
        *e = r.wrong;
    return what;
}

bool dmarc_record_parse(struct slice text, struct dmarc_record *out, struct err *e) {
    struct dmarc_record found;
    if (dmarc_record_read(text, &found, e) != DMARC_TEXT_POLICY)
        return false;
    *out = found;
    return true;
}

struct slice dmarc_record_fo(const struct dmarc_record *r, struct arena *arena) {
    struct slice list = arena_printf(arena, "%s%s%s%s", r->fo_0 ? ":0" : "", r->fo_1 ? ":1" : "", r->fo_d ? ":d" : "",
                                     r->fo_s ? ":s" : "");
    return slice_from(list, 1);
}

bool dmarc_record_check(struct slice text, struct err *e) {
    struct reader r = {.text = text};
    enum dmarc_text what = read_all(&r);
    if (what == DMARC_TEXT_POLICY && r.has_p && r.p_place != 1)
        wrong(&r, r.names[r.p_place], "p= stands right behind v=; receivers of RFC 7489 read it nowhere else");
    if (!r.wrong.text[0])
        return true;
    *e = r.wrong;
    return false;
}
