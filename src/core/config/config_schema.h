// config_schema: the one table of every directive: its name, what follows it, its default, bounds, where it goes in
// struct config, and its documentation. Parsing, defaults, `config --effective` and the manual page are made from it.
#pragma once

#include "core/config/config.h"

struct config_builder;
struct config_node;
struct config_word;

enum config_type {
    CONFIG_PART,        // reads its own words, by `build`
    CONFIG_SECTION,     // a block of settings, or some of them on its own line
    CONFIG_COUNT,       // uint32_t
    CONFIG_SIZE,        // uint32_t bytes, written 10K 50M 1G
    CONFIG_BIG_SIZE,    // uint64_t bytes
    CONFIG_TIME,        // int64_t milliseconds, written 250ms 30s 5m 4h 5d
    CONFIG_CHOICE,      // an enum: the index of the word in `choices`
    CONFIG_SWITCH,      // bool, on or off
    CONFIG_PATH,        // struct slice, made absolute
    CONFIG_COUNT_RANGE, // two uint32_t: LEAST .. MOST
    CONFIG_TIME_RANGE,  // two int64_t
};

struct config_directive {
    const char *block;  // "" at the top, else the name of the block's directive
    const char *name;   // one word, or two: "content line-ends"
    const char *syntax; // what follows, for people
    enum config_type type;
    bool many;            // may be repeated
    const char *fallback; // as it would be written; NULL where there is none
    uint64_t least, most;
    size_t at, at_most; // offsets in struct config; at_most is the second of a range
    const char *const *choices;
    // The words after the name.
    void (*build)(struct config_builder *b, const struct config_node *node, const struct config_word *args);
    const char *doc;   // sentences for the manual
    const char *reply; // limits: what a client gets past it
};

enum { CONFIG_DIRECTIVES_MAX = 192 };

// Every directive, in the manual's order; NULL past the last.
const struct config_directive *config_schema_at(size_t i);
size_t config_schema_index(const struct config_directive *d);

// The rows about strangers (config_schema_gate.c); config_schema_at has them too.
extern const struct config_directive config_schema_gate[];
extern const size_t config_schema_gate_n;

// NULL where there is none.
const struct config_directive *config_schema_find(const char *block, struct slice name, struct slice second);

// Number of words that the value takes; 0 where the directive reads its own words.
size_t config_schema_arity(const struct config_directive *d);
