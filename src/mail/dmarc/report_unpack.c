// report_unpack: looks at the first bytes, and goes one step further.
#include "mail/dmarc/report_unpack.h"

#include "base/base64.h"
#include "mail/header/header.h"
#include "mail/quoted_printable.h"

#include <zlib.h>

enum { BOUNDARY_MAX = 200, PARTS_MAX = 100, STEP = 64 * 1024 };
enum { ZIP_LOCAL = 30, ZIP_STORED = 0, ZIP_DEFLATED = 8, ZIP_FILES_MAX = 10 };
enum { GZIP_WINDOW = 31, BARE_WINDOW = -15 }; // as inflateInit2 takes them: of gzip, and of DEFLATE alone

static uint32_t le(struct slice s, size_t at, size_t n) {
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint32_t)(uint8_t)s.p[at + i] << (8 * i);
    return v;
}

static bool is_gzip(struct slice s) { return slice_starts(s, SLICE("\x1f\x8b")); }
static bool is_zip(struct slice s) { return slice_starts(s, SLICE("PK\x03\x04")); }

// --- compressed

// Takes what it unpacks off `in`.
static bool inflate_all(struct slice *in, int window, struct buf *out, struct err *e) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in->p, .avail_in = (uInt)in->n};
    int got = inflateInit2(&z, window);
    while (got == Z_OK) {
        size_t room = out->max - out->n < STEP ? out->max - out->n : STEP;
        char *to = room ? buf_reserve(out, room) : NULL;
        if (!to)
            break;
        z.next_out = (Bytef *)to;
        z.avail_out = (uInt)room;
        got = inflate(&z, Z_NO_FLUSH);
        buf_commit(out, room - z.avail_out);
        if (got == Z_OK && z.avail_out) // no more input
            got = Z_BUF_ERROR;
        else if (got == Z_STREAM_END && window == GZIP_WINDOW && is_gzip(slice_of((const char *)z.next_in, z.avail_in)))
            got = inflateReset(&z); // another member (RFC 1952 2.2)
    }
    inflateEnd(&z);
    *in = slice_from(*in, in->n - z.avail_in);
    if (got == Z_STREAM_END)
        return true;
    return err_set(e, ERR_PERMANENT, got == Z_OK ? "it unpacks to more than %zu bytes" : "it can't be unpacked",
                   out->max);
}

static bool is_xml(struct slice s) {
    if (slice_starts(s, SLICE("\xef\xbb\xbf")))
        s = slice_from(s, 3);
    while (s.n && ascii_space(s.p[0]))
        s = slice_from(s, 1);
    return slice_starts(s, SLICE("<?xml")) || slice_starts(s, SLICE("<feedback")) ||
           slice_search(slice_upto(s, 200), SLICE(":feedback")) < slice_upto(s, 200).n;
}

// Unpacks the file at the beginning and goes on to the next one. Its size may stand behind it only; DEFLATE knows its
// own end.
static bool unzip_one(struct slice *zip, struct buf *out, struct err *e) {
    if (zip->n < ZIP_LOCAL)
        return err_set(e, ERR_PERMANENT, "the archive is cut off");
    uint32_t flags = le(*zip, 6, 2), method = le(*zip, 8, 2), size = le(*zip, 18, 4);
    struct slice data = slice_from(*zip, (size_t)ZIP_LOCAL + le(*zip, 26, 2) + le(*zip, 28, 2));
    if (flags & 1)
        return err_set(e, ERR_PERMANENT, "the archive is encrypted");
    if (method == ZIP_STORED ? size > data.n : method != ZIP_DEFLATED)
        return err_set(e, ERR_PERMANENT, "the archive can't be unpacked");
    if (method == ZIP_DEFLATED && !inflate_all(&data, BARE_WINDOW, out, e))
        return false;
    if (method == ZIP_STORED && !buf_add(out, slice_upto(data, size)))
        return err_set(e, ERR_PERMANENT, "it unpacks to more than %zu bytes", out->max);
    data = slice_from(data, method == ZIP_STORED ? size : 0);
    *zip = slice_from(data, slice_search(data, SLICE("PK\x03\x04")));
    return true;
}

// The first file of the archive that could be a report.
static bool unzip(struct slice zip, struct buf *out, struct err *e) {
    for (size_t i = 0; i < ZIP_FILES_MAX && is_zip(zip); i++) {
        buf_reset(out);
        if (!unzip_one(&zip, out, e))
            return false;
        if (is_xml(buf_slice(out)))
            return true;
    }
    return err_set(e, ERR_PERMANENT, "no file in the archive is XML");
}

// What needs no look into a mail.
static bool unpack_bytes(struct slice s, struct buf *out, struct err *e) {
    if (is_gzip(s))
        return inflate_all(&s, GZIP_WINDOW, out, e);
    if (is_zip(s))
        return unzip(s, out, e);
    return buf_add(out, s) || err_set(e, ERR_PERMANENT, "larger than %zu bytes", out->max);
}

static bool is_packed(struct slice s) { return is_gzip(s) || is_zip(s) || is_xml(s); }

// --- in a mail

static struct slice body_of(struct slice part) {
    struct slice body = slice_from(part, header_section(part).n);
    if (slice_starts(body, SLICE("\r\n")))
        return slice_from(body, 2);
    return slice_starts(body, SLICE("\n")) ? slice_from(body, 1) : body;
}

static struct slice field(struct slice part, struct slice name) {
    struct header_field f;
    return header_find(part, name, &f) ? slice_trim(f.value) : SLICE_EMPTY;
}

// A quoted or a bare value behind `name`=.
static struct slice parameter(struct slice value, const char *name) {
    struct slice rest = value, word = slice_str(name);
    while (rest.n && !slice_istarts(rest, word))
        rest = slice_from(rest, 1);
    rest = slice_trim(slice_from(rest, word.n));
    if (!slice_starts(rest, SLICE("=")))
        return SLICE_EMPTY;
    rest = slice_trim(slice_from(rest, 1));
    if (slice_starts(rest, SLICE("\"")))
        return slice_upto(slice_from(rest, 1), slice_find(slice_from(rest, 1), '"'));
    size_t n = 0;
    while (n < rest.n && !ascii_space(rest.p[n]) && rest.p[n] != ';')
        n++;
    return slice_upto(rest, n);
}

// RFC 2045 6.8: what is no letter of base64 is passed over, and padding ends it; some leave that out.
static bool decode_base64(struct slice body, struct buf *out) {
    BUF_AUTO struct buf bare = {.max = body.n + 4};
    for (size_t i = 0; i < body.n && body.p[i] != '='; i++)
        if (ascii_alnum(body.p[i]) || body.p[i] == '+' || body.p[i] == '/')
            buf_add_char(&bare, body.p[i]);
    while (bare.n % 4 && buf_add_char(&bare, '='))
        ;
    return base64_decode(out, buf_slice(&bare));
}

static bool decode(struct slice part, struct buf *out) {
    struct slice encoding = field(part, SLICE("Content-Transfer-Encoding")), body = body_of(part);
    if (slice_istarts(encoding, SLICE("base64")))
        return decode_base64(body, out);
    if (slice_istarts(encoding, SLICE("quoted-printable")))
        return quoted_printable_decode(out, body);
    return buf_add(out, body);
}

static bool unpack_part(struct slice part, unsigned depth, struct buf *out, struct err *e);

// Whether nothing stands behind a boundary, or "--" behind the last: else it is the beginning of a longer one.
static bool ends_boundary(struct slice after) {
    if (slice_starts(after, SLICE("--")))
        after = slice_from(after, 2);
    return slice_trim(slice_upto(after, slice_find(after, '\n'))).n == 0;
}

// Takes what stands before the next line "--boundary" off `rest`; false at the end.
static bool next_part(struct slice *rest, struct slice boundary, struct slice *part) {
    char text[BOUNDARY_MAX + 4];
    if (boundary.n > BOUNDARY_MAX || rest->n == 0)
        return false;
    memcpy(text, "\n--", 3);
    memcpy(text + 3, boundary.p, boundary.n);
    struct slice line = slice_of(text, boundary.n + 3), after = *rest;
    size_t at = slice_search(after, line);
    while (at < after.n && !ends_boundary(slice_from(after, at + line.n))) {
        after = slice_from(after, at + line.n);
        at = slice_search(after, line);
    }
    *part = slice_upto(*rest, rest->n - after.n + at);
    after = slice_from(after, at + line.n);
    *rest = slice_starts(after, SLICE("--")) ? SLICE_EMPTY : slice_from(after, slice_find(after, '\n') + 1);
    return true;
}

static bool unpack_multipart(struct slice part, struct slice boundary, unsigned depth, struct buf *out, struct err *e) {
    struct slice one, rest = slice_from(part, header_section(part).n);
    for (size_t i = 0; i < PARTS_MAX && next_part(&rest, boundary, &one); i++)
        if (i > 0 && unpack_part(one, depth + 1, out, e))
            return true;
    return false;
}

// False: nothing is in it that could be a report; `e` may say more.
static bool unpack_part(struct slice part, unsigned depth, struct buf *out, struct err *e) {
    struct slice type = field(part, SLICE("Content-Type"));
    if (depth > REPORT_UNPACK_DEPTH)
        return false;
    if (slice_istarts(type, SLICE("multipart/"))) {
        struct slice boundary = parameter(type, "boundary");
        return boundary.n && unpack_multipart(part, boundary, depth, out, e);
    }
    if (slice_istarts(type, SLICE("message/")))
        return unpack_part(body_of(part), depth + 1, out, e);
    BUF_AUTO struct buf bytes = {.max = part.n + 1};
    if (!decode(part, &bytes) || !is_packed(buf_slice(&bytes)))
        return false;
    out->n = 0;
    return unpack_bytes(buf_slice(&bytes), out, e);
}

// A mail that was saved out of a mailbox file has a line of that in front.
static struct slice skip_mbox_line(struct slice file) {
    return slice_starts(file, SLICE("From ")) ? slice_from(file, slice_find(file, '\n') + 1) : file;
}

bool report_unpack(struct slice file, struct buf *out, struct err *e) {
    struct err why = {0};
    if (is_packed(file))
        return unpack_bytes(file, out, e);
    if (unpack_part(skip_mbox_line(file), 0, out, &why))
        return true;
    if (why.text[0] && e)
        *e = why;
    return why.text[0] ? false
                       : err_set(e, ERR_PERMANENT, "it is neither XML nor gzip nor zip, nor a mail with one of these");
}
