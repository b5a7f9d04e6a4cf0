// printable: which characters of foreign text can be shown as they are. What can't would forge a line, a field, a
// terminal sequence or a reading direction; the writers of JSON and of the journal escape it.
#pragma once

#include "base/slice.h"

#include <stdint.h>

// How many bytes at the start of `s` are ASCII from space to tilde without `"` and `\`: the run that every writer
// copies unchanged.
size_t printable_run(struct slice s);

// The first character of `s`, strictly by RFC 3629 (no surrogates, no overlong forms, at most U+10FFFF): its length in
// bytes, 1..4, and `*code`. 0 when the bytes are no UTF-8 or `s` is empty; then one byte is to be skipped.
size_t printable_decode(struct slice s, uint32_t *code);

// Whether a person may be shown it: no control (C0, DEL, C1), no line or paragraph separator, nothing that steers the
// reading direction (CVE-2021-42574), no invisible mark, no noncharacter.
bool printable_safe(uint32_t code);
