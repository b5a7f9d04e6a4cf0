// header_edit: a header section with fields added, changed and taken out, as filters ask for it (wire/milter.h). What
// is put in keeps the rules of content from the wire: lines end in CRLF, none but the first begins without a blank,
// nothing holds a NUL, a bare CR or a bare LF. So no value can become a field of its own, nor end the section.
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#include <stdint.h>

enum { HEADER_EDIT_FIELDS_MAX = 20000 };

struct header_edit_field {
    struct slice name, whole; // whole: with its line ends
    bool gone;                // taken out; it still counts as one of its name, as with Sendmail
};

struct header_edit {
    struct arena *arena;
    struct header_edit_field *list;
    size_t n, cap;
};

// All give false, and change nothing, when memory or a maximum is used up, or a name is none (RFC 5322 2.2).

// `section` stays where it is.
bool header_edit_begin(struct header_edit *h, struct slice section, struct arena *arena);

// `value` as it stands behind the colon; a filter that doesn't speak of the blank there leaves it to the caller.
bool header_edit_add(struct header_edit *h, struct slice name, struct slice value); // at the end
// Before the field that is at `index` now, counted from 0; behind the last one where there is none.
bool header_edit_insert(struct header_edit *h, size_t index, struct slice name, struct slice value);
// The `nth` field of that name, from 1; an empty `value` takes it out. Where there is none it is added, or nothing is
// to do.
bool header_edit_change(struct header_edit *h, size_t nth, struct slice name, struct slice value);

size_t header_edit_size(const struct header_edit *h, size_t fields); // bytes that the first so many are written as
bool header_edit_write(const struct header_edit *h, struct buf *out);
