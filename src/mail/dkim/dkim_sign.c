// dkim_sign: which fields are signed, and the field that says so.
#include "mail/dkim/dkim_sign.h"

#include "base/base64.h"
#include "base/mem.h"
#include "mail/header/header.h"

#include <stdlib.h>

enum { WIDTH = 76, SIGNATURE_LINE = 72, SIGNATURE_MAX = 2048, FIXED_ROOM = 300 };

// RFC 6376 5.4.1. `over`: named once more than it is there, so that nobody can add one (8.15). Not so Sender and what
// lists and forwarders add by right.
static const struct signed_name {
    const char *name;
    bool over;
} signed_names[] = {
    {"From", true},
    {"Sender", false},
    {"Reply-To", true},
    {"Subject", true},
    {"Date", true},
    {"Message-ID", true},
    {"To", true},
    {"Cc", true},
    {"MIME-Version", true},
    {"Content-Type", true},
    {"Content-Transfer-Encoding", true},
    {"Content-ID", false},
    {"Content-Description", false},
    {"Content-Disposition", false},
    {"Resent-Date", false},
    {"Resent-From", false},
    {"Resent-Sender", false},
    {"Resent-To", false},
    {"Resent-Cc", false},
    {"Resent-Message-ID", false},
    {"In-Reply-To", false},
    {"References", false},
    {"List-Id", false},
    {"List-Help", false},
    {"List-Unsubscribe", false},
    {"List-Unsubscribe-Post", false}, // RFC 8058 4 asks for it
    {"List-Subscribe", false},
    {"List-Post", false},
    {"List-Owner", false},
    {"List-Archive", false},
};
enum { SIGNED_NAMES = sizeof signed_names / sizeof *signed_names };

// --- what is signed

struct found {
    struct slice whole;
    size_t name; // index into signed_names
};

struct finds {
    struct found *list;
    size_t n, cap;
};

static bool is_signed(struct slice name, size_t *which) {
    for (*which = 0; *which < SIGNED_NAMES; ++*which)
        if (slice_ieq(name, slice_str(signed_names[*which].name)))
            return true;
    return false;
}

static void find_all(struct slice header, struct finds *to) {
    struct header_field field;
    size_t name;
    while (header_next(&header, &field)) {
        if (!is_signed(field.name, &name))
            continue;
        if (to->n == to->cap)
            to->list = mem_grow(to->list, to->cap = to->cap ? 2 * to->cap : 32, sizeof *to->list);
        to->list[to->n++] = (struct found){field.whole, name};
    }
}

static void add_name(struct buf *names, const char *name) {
    if (names->n)
        buf_add_char(names, ':');
    buf_add_str(names, name);
}

// Of several fields of a name the lowest is meant first (RFC 6376 5.4.2).
static void add_fields(const struct finds *finds, size_t name, struct dkim_sign_header *h) {
    for (size_t i = finds->n; i-- > 0;) {
        if (finds->list[i].name != name)
            continue;
        add_name(&h->names, signed_names[name].name);
        dkim_canon_field(h->canon, finds->list[i].whole, &h->canonical);
        buf_add(&h->canonical, SLICE("\r\n"));
    }
    if (signed_names[name].over)
        add_name(&h->names, signed_names[name].name);
}

bool dkim_sign_header(enum dkim_canon canon, struct slice header, struct dkim_sign_header *out) {
    struct dkim_sign_header h = {canon, {.max = DKIM_SIGN_HEADER_MAX}, {.max = DKIM_SIGN_HEADER_MAX}};
    struct finds finds = {0};
    find_all(header, &finds);
    for (size_t name = 0; name < SIGNED_NAMES; name++)
        add_fields(&finds, name, &h);
    free(finds.list);
    if (h.names.failed || h.canonical.failed) {
        dkim_sign_header_done(&h);
        return false;
    }
    *out = h;
    return true;
}

void dkim_sign_header_done(struct dkim_sign_header *h) {
    buf_done(&h->names);
    buf_done(&h->canonical);
    *h = (struct dkim_sign_header){0};
}

// --- the field

// Writes tags and breaks lines between them.
struct writer {
    struct buf *to;
    size_t column;
};

static void new_line(struct writer *w) {
    buf_add(w->to, SLICE("\r\n\t"));
    w->column = 1;
}

static void put(struct writer *w, struct slice s) {
    buf_add(w->to, s);
    w->column += s.n;
}

// "NAME=VALUE;", on this line or the next one.
static void put_tag(struct writer *w, const char *name, struct slice value) {
    if (w->column + 3 + strlen(name) + value.n > WIDTH)
        new_line(w);
    else
        put(w, SLICE(" "));
    put(w, slice_str(name));
    put(w, SLICE("="));
    put(w, value);
    put(w, SLICE(";"));
}

static void put_number(struct writer *w, const char *name, int64_t value) {
    char text[24];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    buf_add_u64(&b, value > 0 ? (uint64_t)value : 0);
    put_tag(w, name, buf_slice(&b));
}

// A line may be broken at each colon.
static void put_names(struct writer *w, struct slice names) {
    new_line(w);
    put(w, SLICE("h="));
    while (names.n) {
        struct slice name;
        bool more = slice_cut(names, ':', &name, &names);
        if (w->column + name.n + 1 > WIDTH)
            new_line(w);
        put(w, name);
        put(w, more ? SLICE(":") : SLICE(";"));
    }
}

static void put_base64(struct writer *w, const char *name, struct slice bytes) {
    char text[64];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    base64_encode(&b, bytes);
    put_tag(w, name, buf_slice(&b));
}

static struct slice canon_name(enum dkim_canon header, enum dkim_canon body) {
    static const char *const names[2][2] = {{"simple/simple", "simple/relaxed"}, {"relaxed/simple", "relaxed/relaxed"}};
    return slice_str(names[header == DKIM_RELAXED][body == DKIM_RELAXED]);
}

static void hash_all(const struct dkim_sign_header *h, struct slice field, uint8_t digest[DIGEST_SHA256_SIZE]) {
    DIGEST_AUTO struct digest d = {0};
    BUF_AUTO struct buf canonical = {.max = DKIM_SIGN_HEADER_MAX};
    dkim_canon_field(h->canon, field, &canonical);
    digest_init(&d, DIGEST_SHA256);
    digest_add(&d, buf_slice(&h->canonical));
    digest_add(&d, buf_slice(&canonical));
    digest_end(&d, digest);
}

bool dkim_sign_prepare(const struct dkim_sign_header *h, const struct dkim_sign_by *by, struct wall when,
                       enum dkim_canon body, const uint8_t body_hash[DIGEST_SHA256_SIZE], struct buf *field,
                       uint8_t digest[DIGEST_SHA256_SIZE]) {
    size_t begin = field->n;
    struct writer w = {.to = field};
    put(&w, SLICE("DKIM-Signature:"));
    put_tag(&w, "v", SLICE("1"));
    put_tag(&w, "a", by->ed25519 ? SLICE("ed25519-sha256") : SLICE("rsa-sha256"));
    put_tag(&w, "c", canon_name(h->canon, body));
    put_tag(&w, "d", by->domain);
    put_tag(&w, "s", by->selector);
    put_number(&w, "t", when.ms / MS_SECOND);
    if (by->expire_s)
        put_number(&w, "x", when.ms / MS_SECOND + by->expire_s);
    put_names(&w, buf_slice(&h->names));
    put_base64(&w, "bh", slice_of(body_hash, DIGEST_SHA256_SIZE));
    new_line(&w);
    put(&w, SLICE("b="));
    if (field->failed)
        return false;
    hash_all(h, slice_from(buf_slice(field), begin), digest);
    return true;
}

bool dkim_sign_finish(struct buf *field, struct slice signature) {
    BUF_AUTO struct buf text = {.max = 2 * SIGNATURE_MAX};
    if (signature.n > SIGNATURE_MAX || !base64_encode(&text, signature))
        return false;
    for (struct slice rest = buf_slice(&text); rest.n; rest = slice_from(rest, SIGNATURE_LINE)) {
        if (rest.p != text.p)
            buf_add(field, SLICE("\r\n\t"));
        buf_add(field, slice_upto(rest, SIGNATURE_LINE));
    }
    return buf_add(field, SLICE("\r\n"));
}

size_t dkim_sign_room(const struct dkim_sign_header *h, const struct dkim_sign_by *by, size_t signature) {
    size_t base64 = (signature + 2) / 3 * 4, names = h->names.n;
    // A name of h= has three bytes or more with its colon, and at most a break of three before it.
    return FIXED_ROOM + by->domain.n + by->selector.n + 2 * names + base64 + 3 * (base64 / SIGNATURE_LINE + 1);
}
