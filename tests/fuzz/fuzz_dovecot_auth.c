// fuzz_dovecot_auth: what Dovecot says, line by line.
#include "wire/dovecot_auth.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice line, rest = slice_of(data, size);
    BUF_AUTO struct buf plain = {.max = 1 << 20};
    while (rest.n) {
        struct dovecot_auth_line got;
        slice_cut(rest, '\n', &line, &rest);
        if (!dovecot_auth_parse(line, &got))
            continue;
        FUZZ_CHECK(fuzz_inside(got.name, line) && fuzz_inside(got.user, line) && fuzz_inside(got.reason, line));
        buf_reset(&plain);
        FUZZ_CHECK(!dovecot_auth_unescape(got.user, &plain) || plain.n <= got.user.n);
    }
    return 0;
}
