// words: lines of words between tabs, with %XX for what isn't plain: how tests ask the programs of this folder.
#pragma once

#include "base/slice.h"

// Cuts `line` (NUL-terminated, changed in its place) into up to `max` words; those that aren't there are empty.
void words_cut(char *line, struct slice *words, size_t max);
