// parse_kinds: one function each.
#include "cmd/parse_kinds.h"

#include "base/signature.h"
#include "mail/address.h"
#include "mail/dkim/dkim_key.h"
#include "mail/dkim/dkim_tags.h"
#include "mail/dkim/dkim_verify.h"
#include "mail/dmarc/dmarc_record.h"
#include "mail/sts/mta_sts.h"
#include "mail/spf/spf_record.h"
#include "mail/sts/tlsrpt.h"

static void add(struct parse_facts *f, const char *name, struct slice value, enum parse_fact_kind kind) {
    if (f->n < PARSE_FACTS_MAX)
        f->list[f->n++] = (struct parse_fact){name, value, kind};
}

static void put(struct parse_facts *f, const char *name, struct slice value) { add(f, name, value, PARSE_TEXT); }

static void put_str(struct parse_facts *f, const char *name, const char *value) { put(f, name, slice_str(value)); }

static void put_bool(struct parse_facts *f, const char *name, bool value) {
    add(f, name, slice_str(value ? "yes" : "no"), PARSE_YES_NO);
}

static void put_number(struct parse_facts *f, const char *name, unsigned value) {
    add(f, name, arena_printf(f->arena, "%u", value), PARSE_NUMBER);
}

static void put_list(struct parse_facts *f, const char *name, struct slice value) { add(f, name, value, PARSE_LIST); }

// "column N: " in front of what is wrong.
static bool at_column(struct err *e, size_t column) { return err_while(e, "column %zu", column); }

// --- address

static bool completes(struct slice start, const char *end, struct arena *arena) {
    BUF_AUTO struct buf b = {.max = ADDRESS_MAX + 8};
    struct address a;
    return buf_add(&b, start) && buf_add_str(&b, end) && address_parse(buf_slice(&b), ADDRESS_SENDER, arena, &a, NULL);
}

// How many bytes `text` has up to the first character after which nothing could make it an address.
static size_t hopeless(struct slice text, struct arena *arena) {
    static const char *const ends[] = {"", "x", "@x", "x@x", "x\"@x", "1.1.1.1]"};
    for (size_t n = 1; n <= text.n; n++) {
        bool good = n < text.n && ((uint8_t)text.p[n] & 0xc0) == 0x80; // within a character
        for (size_t i = 0; i < sizeof ends / sizeof *ends && !good; i++)
            good = completes(slice_upto(text, n), ends[i], arena);
        if (!good)
            return n;
    }
    return text.n + 1;
}

// Of a literal, where it begins.
static size_t address_column(struct slice text, struct arena *arena) {
    size_t n = hopeless(text, arena), bracket = slice_search(slice_upto(text, n), SLICE("@["));
    return bracket < n && bracket < text.n ? bracket + 2 : n;
}

static bool parse_address(struct slice text, struct parse_facts *out, struct err *e) {
    struct address a;
    if (!address_parse(text, ADDRESS_SENDER, out->arena, &a, e))
        return at_column(e, address_column(text, out->arena));
    if (a.domain.n == 0)
        return err_set(e, ERR_PERMANENT, "column %zu: a domain is missing", text.n + 1);
    const struct address as_sent = a;
    if (!address_normalize(&a, out->arena, e)) // a U-label that is none (RFC 6531 3.3, RFC 5890 2.3.2.1)
        return at_column(e, slice_rfind(text, '@') + 2);
    put(out, "local", a.local);
    put(out, "domain", as_sent.domain);
    put(out, "normal_domain", a.domain);
    put_bool(out, "quoted", a.quoted);
    put_bool(out, "literal", a.literal);
    put_bool(out, "utf8", as_sent.utf8);
    return true;
}

// --- spf

static bool parse_spf(struct slice text, struct parse_facts *out, struct err *e) {
    struct spf_record r;
    struct spf_term t;
    if (!spf_record_check(text, e) || !spf_record_parse(text, &r, e))
        return false;
    while (spf_record_next(&r.terms, &t))
        put_list(out, "terms", t.text);
    if (r.redirect.n)
        put(out, "redirect", r.redirect);
    if (r.exp.n)
        put(out, "exp", r.exp);
    return true;
}

// --- dkim

// The tag that an error speaks of as "(p=)", "the tag p" or "its tag p"; empty where it names none.
static struct slice tag_named(struct slice words) {
    struct slice name, rest;
    size_t in = slice_search(words, SLICE("=)")), tag = slice_search(words, SLICE(" tag "));
    if (in < words.n)
        return slice_from(slice_upto(words, in), slice_rfind(slice_upto(words, in), '(') + 1);
    slice_cut(slice_from(words, tag + 5), ' ', &name, &rest);
    return name;
}

// Where that tag is, the last of several, or else what is no tag; the end where it is missing, or the start.
static size_t tag_column(struct slice text, const struct err *e) {
    struct slice wanted = tag_named(slice_str(e->text)), rest = text, part;
    size_t column = wanted.n ? text.n + 1 : 1;
    struct dkim_tags alone;
    while (rest.n) {
        slice_cut(rest, ';', &part, &rest);
        struct slice tag = slice_trim(slice_upto(part, slice_find(part, '=')));
        const char *at = tag.n ? tag.p : part.p;
        if (!wanted.n && !dkim_tags_parse(part, &alone, NULL))
            return slice_trim(part).n || rest.n ? (size_t)(at - text.p) + 1 : column;
        if (wanted.n && slice_eq(tag, wanted))
            column = (size_t)(at - text.p) + 1;
    }
    return column;
}

static bool check_key(const struct dkim_key *key, struct signature_key *read, struct err *e) {
    return key->key.n == 0 || signature_key_read(key->ed25519, key->key, read, e) ||
           err_while(e, "its key (p=) is none");
}

static bool parse_dkim_key(struct slice text, struct parse_facts *out, struct err *e) {
    struct dkim_key key;
    struct signature_key read = {0};
    if (!dkim_key_parse(text, out->arena, &key, e) || !check_key(&key, &read, e))
        return at_column(e, tag_column(text, e));
    put_str(out, "kind", key.ed25519 ? "ed25519" : "rsa");
    put_number(out, "bits", read.bits);
    put_bool(out, "revoked", key.key.n == 0);
    put_bool(out, "sha256", key.sha256);
    put_bool(out, "email", key.email);
    put_bool(out, "testing", key.testing);
    put_bool(out, "same_domain", key.same_domain);
    return true;
}

// With the field's name in front, or without.
static bool parse_dkim_signature(struct slice text, struct parse_facts *out, struct err *e) {
    struct slice name, value;
    struct dkim_tags tags;
    size_t before = 0, nul = slice_find(text, '\0');
    if (nul < text.n)
        return err_set(e, ERR_PERMANENT, "column %zu: no field has a NUL", nul + 1);
    if (slice_cut(text, ':', &name, &value) && slice_ieq(slice_trim(name), SLICE("DKIM-Signature"))) {
        before = text.n - value.n;
        text = value;
    }
    if (!dkim_signature_check(text, e))
        return at_column(e, before + tag_column(text, e));
    if (dkim_tags_parse(text, &tags, e))
        for (size_t i = 0; i < tags.n; i++)
            put_list(
                out, "tags",
                arena_printf(out->arena, "%.*s=%.*s", SLICE_ARG(tags.list[i].name), SLICE_ARG(tags.list[i].value)));
    return true;
}

// --- dmarc

static bool parse_dmarc(struct slice text, struct parse_facts *out, struct err *e) {
    static const char *const psd[] = {"u", "y", "n"};
    struct dmarc_record r;
    if (!dmarc_record_check(text, e) || !dmarc_record_parse(text, &r, e))
        return false;
    put_str(out, "p", dmarc_policy_name(r.policy));
    put_str(out, "sp", dmarc_policy_name(r.subdomain));
    put_str(out, "np", dmarc_policy_name(r.missing));
    put_str(out, "adkim", r.strict_dkim ? "s" : "r");
    put_str(out, "aspf", r.strict_spf ? "s" : "r");
    put_str(out, "t", r.testing ? "y" : "n");
    put_str(out, "psd", psd[r.psd]);
    put(out, "fo", dmarc_record_fo(&r, out->arena));
    for (size_t i = 0; i < r.rua_n; i++)
        put_list(out, "rua", r.rua[i]);
    for (size_t i = 0; i < r.ruf_n; i++)
        put_list(out, "ruf", r.ruf[i]);
    return true;
}

// --- mta-sts, tlsrpt

static bool parse_mta_sts_policy(struct slice text, struct parse_facts *out, struct err *e) {
    struct mta_sts_policy p;
    if (!mta_sts_policy_parse(text, &p, e))
        return false;
    put_str(out, "mode", mta_sts_mode_name(p.mode));
    put_number(out, "max_age", p.max_age);
    for (size_t i = 0; i < p.mx_n; i++)
        put_list(out, "mx", p.mx[i]);
    return true;
}

// A policy has one of its fields at the start of a line, a record begins with "v=".
static bool is_policy(struct slice text) {
    static const char *const fields[] = {"version:", "mode:", "max_age:", "mx:"};
    struct slice line;
    while (text.n) {
        slice_cut(text, '\n', &line, &text);
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            if (slice_starts(line, slice_str(fields[i])))
                return true;
    }
    return false;
}

static bool parse_mta_sts(struct slice text, struct parse_facts *out, struct err *e) {
    struct mta_sts_record r;
    if (is_policy(text))
        return parse_mta_sts_policy(text, out, e);
    if (!mta_sts_record_parse(text, &r, e))
        return false;
    put(out, "id", r.id);
    return true;
}

static bool parse_tlsrpt(struct slice text, struct parse_facts *out, struct err *e) {
    struct tlsrpt_record r;
    if (!tlsrpt_record_parse(text, &r, e))
        return false;
    for (size_t i = 0; i < r.rua_n; i++)
        put_list(out, "rua", r.rua[i]);
    return true;
}

const struct parse_kind parse_kinds[] = {
    {"address", parse_address, true},    {"spf", parse_spf, false},
    {"dkim-key", parse_dkim_key, false}, {"dkim-signature", parse_dkim_signature, false},
    {"dmarc", parse_dmarc, false},       {"mta-sts", parse_mta_sts, false},
    {"tlsrpt", parse_tlsrpt, false},     {NULL, NULL, false},
};
