// config_tree: directives as they were written: words, and a block of more directives. Knows no names.
#pragma once

#include "core/config/config_lex.h"

enum { CONFIG_DEPTH_MAX = 4, CONFIG_TEXT_MAX = 1 << 20 };

struct config_word {
    struct slice text;
    struct config_place place;
    struct config_word *next;
    bool quoted;
};

struct config_node {
    struct config_word *words; // at least one
    struct config_node *block; // first directive of the block; NULL where it is empty or there is none
    bool has_block;
    struct config_place opened; // its {
    struct config_place end;    // where the words ended
    struct config_node *next;
};

// The first directive, or NULL. Mistakes go to the report; what could be read is still given, so that later passes
// find theirs too. All of it lies in `arena` and in `text`.
struct config_node *config_tree_parse(struct slice text, struct arena *arena, struct config_report *report);
