// config_lex: the configuration's text as tokens with their places.
//
// A word ends at a space, a tab, a line's end, `;`, `"` or `#`. "quoted words" know \" and \\ and end on their line.
// `#` starts a comment. Columns count characters, not bytes, from 1.
#pragma once

#include "core/config/config_report.h"

enum config_token_kind {
    CONFIG_TOKEN_WORD,
    CONFIG_TOKEN_OPEN,  // {
    CONFIG_TOKEN_CLOSE, // }
    CONFIG_TOKEN_END,   // a line's end or ;
    CONFIG_TOKEN_EOF,
};

struct config_token {
    enum config_token_kind kind;
    struct config_place place;
    struct slice text; // WORD: without quotes; a view into the source, or in the arena where it held a backslash
    bool quoted;
};

struct config_lex {
    struct slice rest;
    struct config_place place;
    struct arena *arena;
    struct config_report *report; // what can't be a token is a mistake, and is skipped
};

struct config_lex config_lex_start(struct slice text, struct arena *arena, struct config_report *report);

// After EOF, EOF again. A full report gives EOF.
struct config_token config_lex_next(struct config_lex *lex);
