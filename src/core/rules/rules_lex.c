// rules_lex: the words of a rule as tokens: parentheses, commas and comparisons stand alone wherever they touch.
#include "core/rules/rules_inside.h"

void rules_lex_start(struct rule_lex *lex, struct config_builder *b, enum config_stage stage,
                     const struct config_word *words, struct config_place end) {
    *lex = (struct rule_lex){.b = b, .stage = stage, .word = words, .end = end};
    rules_lex_next(lex);
}

static bool is_sign(char c) { return strchr("()=,<>!", c) && c; }

// A comparison is taken whole, `==` and `=~` of other languages too: no part of it may pass for a value.
static size_t sign_length(struct slice s) {
    size_t n = 1;
    while (strchr("=<>!", s.p[0]) && n < s.n && s.p[n] && strchr("=<>!~", s.p[n]))
        n++;
    return n;
}

// Columns count characters.
static struct config_place place_of(const struct config_word *word, size_t at) {
    struct config_place place = word->place;
    for (size_t i = 0; i < at; i++)
        place.column += ((unsigned char)word->text.p[i] & 0xc0) != 0x80;
    return place;
}

static struct rule_token quoted(struct rule_lex *lex) {
    struct rule_token t = {RULE_TOKEN_QUOTED, lex->word->text, lex->word->place};
    lex->word = lex->word->next;
    return t;
}

void rules_lex_next(struct rule_lex *lex) {
    if (lex->word && !lex->word->quoted && lex->at >= lex->word->text.n) {
        lex->word = lex->word->next;
        lex->at = 0;
    }
    if (!lex->word) {
        lex->token = (struct rule_token){RULE_TOKEN_END, SLICE_EMPTY, lex->end};
        return;
    }
    if (lex->word->quoted) {
        lex->token = quoted(lex);
        return;
    }
    struct slice rest = slice_from(lex->word->text, lex->at);
    size_t n = 0;
    bool sign = is_sign(rest.p[0]);
    if (sign)
        n = sign_length(rest);
    else
        while (n < rest.n && !is_sign(rest.p[n]))
            n++;
    lex->token = (struct rule_token){sign ? RULE_TOKEN_SIGN : RULE_TOKEN_WORD, slice_upto(rest, n),
                                     place_of(lex->word, lex->at)};
    lex->at += n;
}

bool rules_lex_is(const struct rule_lex *lex, const char *word) {
    return (lex->token.kind == RULE_TOKEN_WORD || lex->token.kind == RULE_TOKEN_SIGN) &&
           slice_eq(lex->token.text, slice_str(word));
}

void rules_lex_mistake(struct rule_lex *lex, const char *expected, const char *near) {
    if (lex->token.kind == RULE_TOKEN_END)
        config_report_add(lex->b->report, lex->token.place, "expected %s, found the end of the rule", expected);
    else
        config_report_word(lex->b->report, lex->token.place, expected, lex->token.text,
                           rules_foreign(lex->token.text) ? rules_foreign(lex->token.text) : near);
}
