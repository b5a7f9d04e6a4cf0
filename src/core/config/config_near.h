// config_near: the known word that is most like an unknown one.
#pragma once

#include "base/slice.h"

struct config_near {
    struct slice word;
    const char *best; // the nearest so far, NULL while none is near enough
    size_t distance;
};

// Case does not count. Offer every known word; `best` is then the answer.
struct config_near config_near_start(struct slice word);
void config_near_offer(struct config_near *near, const char *known);

// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`; stops counting past `most`.
size_t config_near_distance(struct slice a, struct slice b, size_t most);
