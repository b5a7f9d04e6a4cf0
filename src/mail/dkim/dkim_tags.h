// dkim_tags: lists of tags, `v=1; d=example.org; ...` (RFC 6376 3.2): a signature's, and a key record's.
#pragma once

#include "base/err.h"

enum { DKIM_TAGS_MAX = 40 };

struct dkim_tag {
    struct slice name, value; // without white space around; a value may hold some inside
};

struct dkim_tags {
    struct dkim_tag list[DKIM_TAGS_MAX];
    size_t n;
};

// Slices of `out` are views into `text`. Case counts. Twice the same name, a name without "=", a control character or
// too many are an error; an empty list is one too.
MUST_CHECK bool dkim_tags_parse(struct slice text, struct dkim_tags *out, struct err *e);

// False where there is none; `*value` is empty then.
bool dkim_tags_find(const struct dkim_tags *tags, const char *name, struct slice *value);

// Whether `word` is in a value of words with colons between, as h= and s= of a key record; case doesn't count.
bool dkim_tags_has(struct slice value, struct slice word);
