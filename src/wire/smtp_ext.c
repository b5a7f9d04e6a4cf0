// smtp_ext: keywords of EHLO.
#include "wire/smtp_ext.h"

#include "base/num.h"

#include <stddef.h>

static const struct {
    const char *keyword;
    size_t flag; // offset of a bool
} known[] = {
    {"PIPELINING", offsetof(struct smtp_ext, pipelining)}, {"SIZE", offsetof(struct smtp_ext, size)},
    {"8BITMIME", offsetof(struct smtp_ext, eightbit)},     {"SMTPUTF8", offsetof(struct smtp_ext, smtputf8)},
    {"CHUNKING", offsetof(struct smtp_ext, chunking)},     {"ENHANCEDSTATUSCODES", offsetof(struct smtp_ext, enhanced)},
    {"STARTTLS", offsetof(struct smtp_ext, starttls)},     {"DSN", offsetof(struct smtp_ext, dsn)},
    {"REQUIRETLS", offsetof(struct smtp_ext, requiretls)},
};

static void take_line(struct slice line, struct smtp_ext *ext) {
    struct slice keyword, rest;
    slice_cut(slice_trim(line), ' ', &keyword, &rest);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_ieq(keyword, slice_str(known[i].keyword)))
            *(bool *)((char *)ext + known[i].flag) = true;
    uint64_t max;
    if (slice_ieq(keyword, SLICE("SIZE")) && num_u64(slice_trim(rest), UINT64_MAX, &max))
        ext->size_max = max;
}

void smtp_ext_parse(struct slice text, struct smtp_ext *out) {
    struct slice line;
    *out = (struct smtp_ext){0};
    slice_cut(text, '\n', &line, &text);
    while (text.n) {
        slice_cut(text, '\n', &line, &text);
        take_line(line, out);
    }
}
