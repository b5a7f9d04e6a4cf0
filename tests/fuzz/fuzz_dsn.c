// fuzz_dsn: whatever a sender wrote and a server said, a notification has whole lines of CRLF, none too long, no field
// that isn't ours, and ASCII alone unless it may be more.
#include "fuzz.h"

#include "mail/dsn/dsn.h"

static void check_lines(struct slice out, bool ascii) {
    size_t line = 0;
    for (size_t i = 0; i < out.n; i++) {
        unsigned char c = (unsigned char)out.p[i];
        if (c == '\r' || c == '\n') {
            FUZZ_CHECK(c == '\r' && i + 1 < out.n && out.p[i + 1] == '\n');
            i++;
            line = 0;
            continue;
        }
        FUZZ_CHECK((c >= ' ' && c != 0x7f && (c < 0x80 || !ascii)) || c == '\t' || !ascii || c < 0x80);
        FUZZ_CHECK(c != 0 && ++line <= 998);
    }
    FUZZ_CHECK(line == 0);
}

// The status part can be told by our own fields alone.
static void check_fields(struct slice out) {
    static const char boundary[] = "\r\n--=_posthouse_fedcba9876543210";
    size_t n = 0;
    for (struct slice rest = out; (rest = slice_from(rest, slice_search(rest, slice_str(boundary)))).n; n++)
        rest = slice_from(rest, sizeof boundary - 1);
    FUZZ_CHECK(n == 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    unsigned flags = fuzz_choose(&in, 16);
    struct dsn_recipient r = {.smtp = flags & 1 ? 550 : 0, .enhanced = {5, 1, 1}, .expired = flags & 2};
    struct dsn d = {.hostname = SLICE("mx.example.org"), .smtputf8 = flags & 4, .recipients = &r, .recipients_n = 1};
    struct buf out = {.max = DSN_MAX};
    d.random = 0xfedcba9876543210ull;
    if (slice_search(in, SLICE("fedcba9876543210")) < in.n) // chosen unpredictably in real life
        return 0;
    slice_cut(in, '\1', &r.address, &in);
    slice_cut(in, '\1', &r.reason, &in);
    slice_cut(in, '\1', &r.remote, &in);
    slice_cut(in, '\1', &d.sender, &d.header);
    r.original = flags & 8 ? r.reason : SLICE_EMPTY;
    FUZZ_CHECK(size > 100000 || dsn_write(&d, &out));
    if (size <= 100000) {
        check_lines(buf_slice(&out), !d.smtputf8);
        check_fields(buf_slice(&out));
    }
    buf_done(&out);
    return 0;
}
