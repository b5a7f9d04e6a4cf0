// submit_check: what may become of a user's message, said in the simplest way (mail/submit/submit_header.h, submit_lines.h).
#pragma once

#include "fuzz.h"

#include "mail/header/header.h"
#include "mail/submit/submit_lines.h"

enum { SUBMIT_CHECK_ROOM = 1 << 22 };

static inline unsigned submit_count(struct slice section, const char *name) {
    struct header_field f;
    unsigned n = 0;
    while (header_next(&section, &f))
        n += slice_ieq(f.name, slice_str(name));
    return n;
}

// Takes off `out` what is added in front of a section that has none of it.
static inline void submit_check_missing(struct slice section, struct slice *out) {
    static const char *const names[] = {"Date", "From", "Sender", "Message-ID"};
    for (size_t i = 0; i < 4; i++) {
        struct slice name = slice_str(names[i]);
        bool added = !submit_count(section, names[i]) && slice_starts(*out, name) &&
                     slice_starts(slice_from(*out, name.n), SLICE(": "));
        if (added)
            *out = slice_from(*out, slice_find(*out, '\n') + 1);
    }
}

// Folds apart, `*out` begins with what of `section` is to stay; takes that off.
static inline void submit_check_kept(struct slice section, struct slice *out) {
    struct buf kept BUF_AUTO = {.max = SUBMIT_CHECK_ROOM};
    struct header_field f;
    while (header_next(&section, &f))
        if (!slice_ieq(f.name, SLICE("Bcc")) && !slice_ieq(f.name, SLICE("Resent-Bcc")))
            buf_add(&kept, f.whole);
    if (kept.n && kept.p[kept.n - 1] != '\n')
        buf_add_str(&kept, "\r\n");
    size_t o = 0;
    for (size_t i = 0; i < kept.n; i++, o++) {
        if (o < out->n && out->p[o] == kept.p[i])
            continue;
        FUZZ_CHECK(slice_starts(slice_from(*out, o), SLICE("\r\n")));
        o += 2;
        o += kept.p[i] != ' ' && kept.p[i] != '\t';
        FUZZ_CHECK(o < out->n && out->p[o] == kept.p[i]);
    }
    *out = slice_from(*out, o);
}

// Without the CRLF that were added `out` is `in`, and no line is too long.
static inline void submit_check_body(struct slice in, struct slice out) {
    size_t i = 0, line = 0;
    for (size_t o = 0; o < out.n; o++) {
        if (i < in.n && out.p[o] == in.p[i]) {
            i++;
        } else {
            FUZZ_CHECK(slice_starts(slice_from(out, o), SLICE("\r\n")) && line >= SUBMIT_LINES_PASSED);
            o++;
        }
        line = out.p[o] == '\n' ? 0 : line + 1;
        FUZZ_CHECK(line <= SUBMIT_LINE_MAX + (size_t)(out.p[o] == '\r'));
    }
    FUZZ_CHECK(i == in.n);
}
