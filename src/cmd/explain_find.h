// explain_find: looks through the files of history, whether the server runs or not, for what somebody asks about.
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "core/history/story.h"

enum { EXPLAIN_STORIES_MAX = 100000, EXPLAIN_STORY_RECORDS = 1000 };

// Zeroed is valid but for the first two.
struct explain_found {
    struct story_wish wish;
    size_t most; // stories that are kept: the latest
    struct map by_key;
    struct list stories; // of explain_story, by when they last had to do with what is asked about
    size_t stories_n;
    uint64_t older;           // stories that were left out
    uint64_t records, broken; // that were looked at, and that couldn't be read
};

struct explain_story {
    struct list entry;
    struct slice key; // behind it
    struct arena arena;
    const struct record **records; // in their order
    size_t n, cap;
    uint64_t left_out; // records past EXPLAIN_STORY_RECORDS
};

// `directory`: STATE/history. False: it can't be read.
MUST_CHECK bool explain_find(struct explain_found *f, const char *directory, struct err *e);
void explain_found_done(struct explain_found *f);
