// volume: how much mail goes in and out in an hour, and when that is far beyond what it was. Nothing is done about it:
// it is said, once, with the baseline beside it.
//
// Counted: messages of strangers that were accepted, recipients elsewhere that our own people wrote to, and recipients
// that strangers named and that aren't there (a dictionary of names, tried from many places at once, shows only here).
// The baseline is the busiest hour of the past; it fades by a 40th a day, to half in four weeks, and a day's busiest
// hour joins it when the day is over. A figure is unusual past VOLUME_FACTOR times its baseline and VOLUME_LEAST, once
// VOLUME_LEARN_DAYS have been seen; it is said again when an hour with less than that has been between.
//
// Pure: times are handed in.
#pragma once

#include "base/pack.h"
#include "base/when.h"

enum volume_figure { VOLUME_IN, VOLUME_OUT, VOLUME_UNKNOWN, VOLUME_FIGURES };

const char *volume_figure_name(enum volume_figure f); // "in"

enum { VOLUME_LEARN_DAYS = 7, VOLUME_FACTOR = 4, VOLUME_LEAST = 200 };

// Zeroed is valid.
struct volume {
    struct volume_of {
        struct wall first;   // when anything was seen first
        int64_t hour;        // that `now` counts, since 1970
        uint32_t now, today; // in this hour; busiest hour of the day that isn't over
        uint64_t past;       // baseline, in parts of 256
        bool unusual;        // that is how it is, and was said
    } of[VOLUME_FIGURES];
    uint32_t changed; // 1 << figure
};

// Counts; true when that is unusual from now on.
bool volume_count(struct volume *v, enum volume_figure f, uint32_t n, struct wall now);

struct volume_look {
    uint64_t value, baseline; // in this hour; busiest hour of the past
    bool unusual;
};
struct volume_look volume_look(const struct volume *v, enum volume_figure f, struct wall now);

// --- to be kept elsewhere under a key that begins with 'v'; as lockout.h

bool volume_next_change(struct volume *v, struct buf *key, struct buf *value);
void volume_change_all(struct volume *v);
bool volume_load(struct volume *v, struct slice key, struct slice value);
