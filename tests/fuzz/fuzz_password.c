// fuzz_password: a password file of any bytes. What is read can be written, and read again as the same.
#include "fuzz.h"

#include "core/auth/password.h"

static void check_record(const struct password_record *r, struct slice whole) {
    struct buf line BUF_AUTO = {.max = 2 * PASSWORD_LINE_MAX};
    struct password_record again;
    struct err e;
    FUZZ_CHECK(fuzz_inside(r->user, whole) && fuzz_inside(r->name, whole) && r->hashes_n >= 1);
    FUZZ_CHECK(r->hashes_n <= PASSWORD_HASHES_MAX && password_write(r, &line));
    // A line of the longest kind may be longer by the ":" that its author left out.
    if (line.n > PASSWORD_LINE_MAX)
        return;
    FUZZ_CHECK(password_parse(slice_upto(buf_slice(&line), line.n - 1), &again, &e));
    FUZZ_CHECK(slice_eq(again.user, r->user) && slice_eq(again.name, r->name) && again.hashes_n == r->hashes_n);
    for (size_t i = 0; i < r->hashes_n; i++) {
        struct password_scram s;
        enum digest_kind kind;
        struct buf text BUF_AUTO = {.max = PASSWORD_LINE_MAX};
        FUZZ_CHECK(again.hashes[i].scheme == r->hashes[i].scheme);
        if (!password_scram_parse(r->hashes[i].text, &s, &kind))
            continue;
        FUZZ_CHECK(s.iterations >= SCRAM_ITERATIONS_MIN && s.iterations <= SCRAM_ITERATIONS_MAX && s.salt_n);
        struct password_scram same;
        enum digest_kind same_kind;
        FUZZ_CHECK(password_scram_write(kind, &s, &text) && password_scram_parse(buf_slice(&text), &same, &same_kind) &&
                   same_kind == kind);
        FUZZ_CHECK(memcmp(&same, &s, sizeof s) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    struct password_reader reader = {.rest = in};
    struct password_record record;
    unsigned last = 0;
    for (;;) {
        struct err e = {0};
        enum password_read got = password_next(&reader, &record, &e);
        if (got == PASSWORD_READ_END)
            break;
        FUZZ_CHECK(reader.line > last && (got == PASSWORD_READ_RECORD || e.text[0]));
        last = reader.line;
        if (got == PASSWORD_READ_RECORD)
            check_record(&record, in);
    }
    return 0;
}
