// dkim_signature: tags into values, then what each must be.
#include "mail/dkim/dkim_signature.h"

#include "base/base64.h"
#include "base/num.h"
#include "base/signature.h"
#include "mail/address.h"
#include "mail/dkim/dkim_tags.h"

enum {
    DIGITS_MAX = 76,
    BASE64_MAX = SIGNATURE_RSA_MAX / 8 * 2, // bytes
    INSTANCE_DIGITS = 3,
    HASH_AT_ONCE = 4096,           // bytes that are gathered
    FIELDS_MAX = 64 * 1024 * 1024, // bytes of a field
};

static bool unreadable(struct err *e, const char *tag, const char *why) {
    return err_set(e, ERR_PERMANENT, "its tag %s %s", tag, why);
}

static bool full(struct err *e) { return err_set(e, ERR_TEMPORARY, "out of memory"); }

static bool need(const struct dkim_tags *tags, const char *name, struct slice *value, struct err *e) {
    return dkim_tags_find(tags, name, value) || unreadable(e, name, "is missing");
}

// --- values

static bool read_domain(const struct dkim_tags *tags, const char *name, struct arena *arena, struct slice *out,
                        struct err *e) {
    struct slice text;
    if (!need(tags, name, &text, e))
        return false;
    if (!address_domain_ok(text))
        return unreadable(e, name, "is no domain");
    return address_normalize_domain(text, arena, out, e) ||
           (err_is_permanent(e) && unreadable(e, name, "is no domain"));
}

// RFC 6376 3.5: digits, more of them than any number needs; the largest is as good as any larger.
static bool read_number(const struct dkim_tags *tags, const char *name, bool *there, uint64_t *out, struct err *e) {
    struct slice text;
    uint64_t value = 0;
    if (!(*there = dkim_tags_find(tags, name, &text)))
        return true;
    if (text.n == 0 || text.n > DIGITS_MAX)
        return unreadable(e, name, "is no number");
    for (size_t i = 0; i < text.n; i++) {
        if (!ascii_digit(text.p[i]))
            return unreadable(e, name, "is no number");
        value = value > INT64_MAX / 10 - 1 ? INT64_MAX : value * 10 + (uint64_t)(text.p[i] - '0');
    }
    *out = value;
    return true;
}

static struct slice without_space(struct slice text, struct arena *arena) {
    char *to = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; to && i < text.n; i++)
        if (!ascii_space(text.p[i]))
            to[n++] = text.p[i];
    return slice_of(to, n);
}

static bool read_base64(const struct dkim_tags *tags, const char *name, struct arena *arena, struct slice *text,
                        struct slice *out, struct err *e) {
    BUF_AUTO struct buf bytes = {.max = BASE64_MAX};
    struct slice value;
    if (!need(tags, name, &value, e))
        return false;
    if (value.n > 2 * BASE64_MAX)
        return unreadable(e, name, "is too long");
    *text = without_space(value, arena);
    if (!text->p)
        return full(e);
    if (text->n == 0 || !base64_decode(&bytes, *text))
        return unreadable(e, name, "is no base64");
    *out = arena_dup(arena, buf_slice(&bytes));
    return out->p || full(e);
}

// --- tags

static bool read_signature(const struct dkim_tags *tags, struct arena *arena, struct dkim_signature *s, struct err *e) {
    struct slice value;
    if (!read_base64(tags, "b", arena, &s->signature_text, &s->signature, e))
        return false;
    dkim_tags_find(tags, "b", &value);
    const char *begin = value.p, *end = value.p + value.n, *last = s->whole.p + s->whole.n;
    while (begin[-1] != '=')
        begin--;
    while (end < last && *end != ';')
        end++;
    s->blank = slice_of(begin, (size_t)(end - begin));
    return true;
}

static bool read_who(const struct dkim_tags *tags, struct arena *arena, struct dkim_signature *s, struct err *e) {
    struct slice a;
    if (!read_domain(tags, "d", arena, &s->domain, e) || !read_domain(tags, "s", arena, &s->selector, e) ||
        !need(tags, "a", &a, e))
        return false;
    s->algorithm = arena_dup(arena, a);
    s->ed25519 = slice_eq(a, SLICE("ed25519-sha256"));
    return s->algorithm.p || full(e);
}

static bool read_canon_word(struct slice word, enum dkim_canon *out) {
    *out = slice_eq(word, SLICE("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
    return *out == DKIM_RELAXED || slice_eq(word, SLICE("simple"));
}

static bool read_canon(const struct dkim_tags *tags, struct dkim_signature *s, struct err *e) {
    struct slice c, header, body;
    if (!dkim_tags_find(tags, "c", &c))
        return true; // simple/simple
    if (!slice_cut(c, '/', &header, &body))
        body = SLICE("simple");
    return (read_canon_word(header, &s->header) && read_canon_word(body, &s->body)) ||
           unreadable(e, "c", "is no canonicalisation");
}

bool dkim_signature_name(struct slice *names, struct slice *name) {
    *name = SLICE_EMPTY;
    while (names->n && name->n == 0) {
        slice_cut(*names, ':', name, names);
        *name = slice_trim(*name);
    }
    return name->n != 0;
}

static bool read_names(const struct dkim_tags *tags, struct dkim_signature *s, struct err *e) {
    if (!need(tags, "h", &s->names, e))
        return false;
    for (struct slice rest = s->names, name; dkim_signature_name(&rest, &name);) {
        s->names_n++;
        if (s->kind == DKIM_SIGNATURE_ARC_MESSAGE && slice_ieq(name, SLICE("arc-seal"))) // RFC 8617 4.1.2
            return unreadable(e, "h", "names a seal");
    }
    return s->names_n || unreadable(e, "h", "is empty");
}

static bool read_body_hash(const struct dkim_tags *tags, struct arena *arena, struct dkim_signature *s, struct err *e) {
    struct slice text, hash;
    bool limited;
    if (!read_base64(tags, "bh", arena, &text, &hash, e))
        return false;
    if (hash.n != DIGEST_SHA256_SIZE && !slice_ends(s->algorithm, SLICE("-sha1")))
        return unreadable(e, "bh", "is no SHA-256");
    memcpy(s->body_hash, hash.p, hash.n < sizeof s->body_hash ? hash.n : sizeof s->body_hash);
    s->length = DKIM_SIGNATURE_ALL;
    return read_number(tags, "l", &limited, &s->length, e);
}

static bool read_times(const struct dkim_tags *tags, struct dkim_signature *s, struct err *e) {
    uint64_t made = 0, expires = 0;
    if (!read_number(tags, "t", &s->has_t, &made, e) || !read_number(tags, "x", &s->has_x, &expires, e))
        return false;
    s->made_s = (int64_t)made;
    s->expires_s = (int64_t)expires;
    return true;
}

// Whose it says to be: an address or only its domain, of d= or below (RFC 6376 3.5).
static bool read_identity(const struct dkim_tags *tags, struct arena *arena, struct dkim_signature *s, struct err *e) {
    struct slice i, domain;
    struct err ignored;
    if (!dkim_tags_find(tags, "i", &i)) {
        s->identity = arena_printf(arena, "@%.*s", SLICE_ARG(s->domain));
        s->same_domain = true;
        return s->identity.p || full(e);
    }
    s->identity = without_space(i, arena);
    if (!s->identity.p)
        return full(e);
    size_t at = slice_rfind(s->identity, '@');
    if (at == s->identity.n || !address_normalize_domain(slice_from(s->identity, at + 1), arena, &domain, &ignored))
        return unreadable(e, "i", "is no identity");
    s->same_domain = slice_eq(domain, s->domain);
    bool below = domain.n > s->domain.n && slice_ends(domain, s->domain) && domain.p[domain.n - s->domain.n - 1] == '.';
    s->other_domain = !s->same_domain && !below;
    return true;
}

static bool read_instance(const struct dkim_tags *tags, struct dkim_signature *s, struct err *e) {
    struct slice i;
    uint64_t value;
    if (!need(tags, "i", &i, e))
        return false;
    if (i.n > INSTANCE_DIGITS || !num_u64(i, UINT16_MAX, &value) || value == 0)
        return unreadable(e, "i", "is no number of a set");
    s->instance = (unsigned)value;
    s->same_domain = true; // it claims no identity but d= (RFC 8617 4.1.2)
    return true;
}

static bool read_mail(const struct dkim_tags *tags, struct arena *arena, struct dkim_signature *s, struct err *e) {
    if (!dkim_tags_find(tags, "q", &s->query))
        s->query = SLICE("dns/txt");
    return need(tags, "v", &s->version, e) && read_identity(tags, arena, s, e);
}

// RFC 8617 4.1.3: nothing of a message is signed by a seal, so it names no fields.
static bool read_seal(const struct dkim_tags *tags, struct dkim_signature *s, struct err *e) {
    struct slice value;
    if (dkim_tags_find(tags, "h", &value))
        return unreadable(e, "h", "has no place in a seal");
    s->header = DKIM_RELAXED;
    if (!need(tags, "cv", &s->chain, e))
        return false;
    return slice_eq(s->chain, SLICE("none")) || slice_eq(s->chain, SLICE("pass")) ||
           slice_eq(s->chain, SLICE("fail")) || unreadable(e, "cv", "is none of none, pass and fail");
}

bool dkim_signature_read(enum dkim_signature_kind kind, struct slice whole, struct arena *arena,
                         struct dkim_signature *out, struct err *e) {
    struct dkim_tags tags;
    struct slice name, value;
    *out = (struct dkim_signature){.kind = kind, .whole = whole, .length = DKIM_SIGNATURE_ALL};
    slice_cut(whole, ':', &name, &value);
    if (!dkim_tags_parse(value, &tags, e))
        return false;
    if (kind != DKIM_SIGNATURE_MAIL && !read_instance(&tags, out, e))
        return false;
    if (!read_who(&tags, arena, out, e) || !read_signature(&tags, arena, out, e) || !read_times(&tags, out, e))
        return false;
    if (kind == DKIM_SIGNATURE_ARC_SEAL)
        return read_seal(&tags, out, e);
    return (kind != DKIM_SIGNATURE_MAIL || read_mail(&tags, arena, out, e)) && read_canon(&tags, out, e) &&
           read_names(&tags, out, e) && read_body_hash(&tags, arena, out, e);
}

// --- what is acceptable

static bool accept_mail(const struct dkim_signature *s, struct err *e) {
    if (!slice_eq(s->version, SLICE("1")))
        return err_set(e, ERR_PERMANENT, "its version (v=) is not 1");
    if (!dkim_tags_has(s->query, SLICE("dns/txt")))
        return err_set(e, ERR_PERMANENT, "its way to the key (q=) is unknown");
    return !s->other_domain || err_set(e, ERR_PERMANENT, "its identity (i=) is not of its domain (d=)");
}

static bool accept_time(const struct dkim_signature *s, struct wall now, struct err *e) {
    int64_t now_s = now.ms / MS_SECOND;
    if (s->has_t && s->has_x && s->expires_s <= s->made_s)
        return err_set(e, ERR_PERMANENT, "it ends (x=) before it begins (t=)");
    if (s->has_x && s->expires_s < now_s - DKIM_SIGNATURE_LATE_S)
        return err_set(e, ERR_PERMANENT, "it has expired (x=)");
    if (s->has_t && s->made_s > now_s + DKIM_SIGNATURE_EARLY_S)
        return err_set(e, ERR_PERMANENT, "it is from the future (t=)");
    return true;
}

static bool accept_names(const struct dkim_signature *s, struct err *e) {
    bool from = false;
    if (s->names_n > DKIM_SIGNATURE_NAMES)
        return err_set(e, ERR_PERMANENT, "it names more than %d fields (h=)", DKIM_SIGNATURE_NAMES);
    for (struct slice rest = s->names, name; dkim_signature_name(&rest, &name);)
        from = from || slice_ieq(name, SLICE("from"));
    return from || err_set(e, ERR_PERMANENT, "it does not sign From (h=)");
}

bool dkim_signature_accept(const struct dkim_signature *s, struct wall now, struct err *e) {
    if (s->kind == DKIM_SIGNATURE_MAIL && !accept_mail(s, e))
        return false;
    if (slice_eq(s->algorithm, SLICE("rsa-sha1")))
        return err_set(e, ERR_PERMANENT, "rsa-sha1 (a=) is no signature any more (RFC 8301)");
    if (!s->ed25519 && !slice_eq(s->algorithm, SLICE("rsa-sha256")))
        return err_set(e, ERR_PERMANENT, "its algorithm (a=) is unknown");
    return (s->kind == DKIM_SIGNATURE_ARC_SEAL || accept_names(s, e)) && accept_time(s, now, e);
}

// --- what is hashed

bool dkim_signature_emptied(const struct dkim_signature *s, struct buf *out) {
    size_t at = (size_t)(s->blank.p - s->whole.p);
    buf_add(out, slice_upto(s->whole, at));
    return buf_add(out, slice_from(s->whole, at + s->blank.n));
}

static bool hash_some(struct digest *d, struct buf *text, size_t at_least) {
    if (text->failed || text->n < at_least)
        return !text->failed;
    digest_add(d, buf_slice(text));
    buf_reset(text);
    return true;
}

bool dkim_signature_hash(enum dkim_canon canon, const struct slice *fields, size_t n, struct slice last,
                         uint8_t digest[DIGEST_SHA256_SIZE]) {
    DIGEST_AUTO struct digest d = {0};
    BUF_AUTO struct buf text = {.max = FIELDS_MAX};
    digest_init(&d, DIGEST_SHA256);
    for (size_t i = 0; i < n; i++) {
        if (!fields[i].n)
            continue;
        dkim_canon_field(canon, fields[i], &text);
        buf_add(&text, SLICE("\r\n"));
        if (!hash_some(&d, &text, HASH_AT_ONCE))
            return false;
    }
    if (!dkim_canon_field(canon, last, &text) || !hash_some(&d, &text, 0))
        return false;
    digest_end(&d, digest);
    return true;
}

bool dkim_signature_digest(const struct dkim_signature *s, const struct slice *fields, size_t n,
                           uint8_t digest[DIGEST_SHA256_SIZE]) {
    BUF_AUTO struct buf emptied = {.max = FIELDS_MAX};
    return dkim_signature_emptied(s, &emptied) &&
           dkim_signature_hash(s->header, fields, n, buf_slice(&emptied), digest);
}
