// pattern: a regular expression (PCRE2) that the administrator wrote, for texts that strangers wrote: what a look may
// cost is bounded, in steps, depth and memory. Case doesn't count; bytes are bytes.
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum {
    PATTERN_TEXT_MAX = 4096,         // bytes of an expression
    PATTERN_SUBJECT_MAX = 16 * 1024, // bytes of a text that are looked at
};

struct pattern;

// In `arena`, which it lives as long as. The error's text says what is wrong, and where: "missing ) at 7".
MUST_CHECK bool pattern_compile(struct slice text, struct arena *arena, struct pattern **out, struct err *e);

enum pattern_found {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_TOO_MUCH, // a limit was met; whoever asks takes it for a no
};
enum pattern_found pattern_look(const struct pattern *p, struct slice subject);

static inline bool pattern_matches(const struct pattern *p, struct slice subject) {
    return pattern_look(p, subject) == PATTERN_YES;
}
