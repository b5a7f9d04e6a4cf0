// rules_inside: expressions of the language of policy as trees, for rules*.c only.
#pragma once

#include "core/config/config_build.h"
#include "core/rules/pattern.h"
#include "core/rules/rules.h"

enum {
    RULES_MAX = 1000,      // of one stage
    RULES_LEAVES_MAX = 64, // comparisons in one rule
    RULES_ITEMS_MAX = 256, // behind one `in`
    RULES_DEPTH_MAX = 16,  // parentheses and `not` inside each other
};

enum rule_operator {
    RULE_OR,
    RULE_AND,
    RULE_NOT,
    RULE_IS, // a BOOL alone
    RULE_EQUAL,
    RULE_UNEQUAL,
    RULE_LESS,
    RULE_AT_MOST,
    RULE_MORE,
    RULE_AT_LEAST,
    RULE_IN,
    RULE_MATCHES,
};

struct rule_item {
    bool table;
    struct slice text;      // of a table its name
    struct netaddr_net net; // IP
};

struct rule_expression {
    enum rule_operator op;
    struct rule_expression *first, *next; // OR, AND, NOT: what is below; what is beside
    enum fact fact;
    struct slice name; // HEADER
    int64_t number;
    struct rule_item *items; // IN; one of EQUAL and UNEQUAL
    size_t items_n;
    struct pattern *pattern;
    size_t leaves; // comparisons below
};

enum rule_token_kind {
    RULE_TOKEN_END,
    RULE_TOKEN_WORD,
    RULE_TOKEN_QUOTED,
    RULE_TOKEN_SIGN, // ( ) , = != < <= > >=
};

struct rule_token {
    enum rule_token_kind kind;
    struct slice text;
    struct config_place place;
};

// Reads a rule's words; a sign may touch them.
struct rule_lex {
    struct config_builder *b;
    enum config_stage stage;
    const struct config_word *word;
    size_t at;               // in `word`
    struct config_place end; // of the rule
    struct rule_token token; // looked at, not yet used
};

void rules_lex_start(struct rule_lex *lex, struct config_builder *b, enum config_stage stage,
                     const struct config_word *words, struct config_place end);
void rules_lex_next(struct rule_lex *lex);
bool rules_lex_is(const struct rule_lex *lex, const char *word); // unquoted
const char *rules_foreign(struct slice word); // the word of this language for one of another; NULL: none
void rules_lex_mistake(struct rule_lex *lex, const char *expected, const char *near);

// As rules_build; the built-in set has no `built-in`.
struct rules *rules_build_as(struct config_builder *b, enum config_stage stage, const struct config_node *block,
                             bool built_in);

// From the token at hand to the first that can't belong to it. NULL after a mistake.
struct rule_expression *rules_parse(struct rule_lex *lex);

// The fact of that name if it is known at the stage; else a mistake and false.
bool rules_find_fact(struct config_builder *b, enum config_stage stage, struct slice name, struct config_place place,
                     enum fact *out);

// The next {fact} in `text` from `*at` on: the text before it, the fact, and `*at` behind it. False: no more, and
// `before` is the rest. A brace without its mate is text.
bool rules_next_braces(struct slice text, size_t *at, struct slice *before, struct slice *inner);
// "header NAME" apart.
struct slice rules_fact_name(struct slice inner, struct slice *header);
