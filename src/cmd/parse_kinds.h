// parse_kinds: what `posthouse parse` can read, each into names and values.
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum { PARSE_FACTS_MAX = 300 };

enum parse_fact_kind {
    PARSE_TEXT,
    PARSE_LIST,   // several of that name, one after another
    PARSE_NUMBER, // digits
    PARSE_YES_NO, // "yes" or "no"
};

struct parse_fact {
    const char *name;
    struct slice value;
    enum parse_fact_kind kind;
};

struct parse_facts {
    struct arena *arena;
    struct parse_fact list[PARSE_FACTS_MAX];
    size_t n;
};

struct parse_kind {
    const char *name;
    // False: `e` says what is wrong; its text may begin with "column N: " or "line N, column N: ". Facts are added only
    // where all is well.
    bool (*parse)(struct slice text, struct parse_facts *out, struct err *e);
    bool exact; // with TEXT as -, the line end of standard input counts
};

extern const struct parse_kind parse_kinds[]; // ends with a NULL name
