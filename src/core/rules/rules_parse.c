// rules_parse: expressions by recursive descent of bounded depth, every comparison checked against its fact's type.
//
//     any     = all *( "or" all )
//     all     = one *( "and" one )
//     one     = "not" one | "(" any ")" | fact [ sign value | "in" items | "matches" pattern ]
#include "core/rules/rules_inside.h"

#include "core/config/config_near.h"
#include "core/config/config_value.h"

#include <stdio.h>

// Facts whose values are a few words: others are typing errors.
static const struct {
    enum fact fact;
    const char *words[8];
} choices[] = {
    {FACT_SPF, {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}},
    {FACT_DKIM, {"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"}},
    {FACT_DMARC, {"none", "pass", "fail", "temperror", "permerror"}},
    {FACT_DMARC_POLICY, {"none", "quarantine", "reject"}},
    {FACT_DMARC_ENFORCED, {"none", "quarantine", "reject"}},
    {FACT_ARC, {"none", "pass", "fail"}},
};

static const struct {
    const char *sign;
    enum rule_operator op;
} signs[] = {{"=", RULE_EQUAL},    {"!=", RULE_UNEQUAL}, {"<", RULE_LESS},
             {"<=", RULE_AT_MOST}, {">", RULE_MORE},     {">=", RULE_AT_LEAST}};

static const char *const signs_expected[] = {
    [FACT_NUMBER] = "\"=\", \"!=\", \"<\", \"<=\", \">\" or \">=\"",
    [FACT_TEXT] = "\"=\", \"!=\", \"in\" or \"matches\"",
    [FACT_IP] = "\"=\", \"!=\" or \"in\"",
};

// What other languages write.
static const struct {
    const char *word, *here;
} foreign[] = {
    {"==", "="},   {"=~", "matches"}, {"~", "matches"}, {"~=", "matches"}, {"like", "matches"}, {"contains", "matches"},
    {"is", "="},   {"eq", "="},       {"ne", "!="},     {"<>", "!="},      {"&&", "and"},       {"||", "or"},
    {"!", "not"},  {"if", "when"},    {"where", "when"}, {"deny", "reject"}, {"block", "reject"}, {"allow", "accept"},
    {"permit", "accept"}, {"drop", "discard"}, {"tempfail", "defer"},
};

const char *rules_foreign(struct slice word) {
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (slice_ieq(word, slice_str(foreign[i].word)))
            return foreign[i].here;
    return NULL;
}

static void mistake_fact(struct config_builder *b, struct slice name, struct config_place place) {
    struct config_near near = config_near_start(name);
    for (enum fact f = 0; f < FACT_COUNT; f++)
        config_near_offer(&near, fact_infos[f].name);
    const char *here = rules_foreign(name);
    config_report_word(b->report, place, "a fact", name, here ? here : near.best);
}

bool rules_find_fact(struct config_builder *b, enum config_stage stage, struct slice name, struct config_place place,
                     enum fact *out) {
    enum fact f = 0;
    while (f < FACT_COUNT && !slice_eq(name, slice_str(fact_infos[f].name)))
        f++;
    if (f == FACT_COUNT) {
        mistake_fact(b, name, place);
        return false;
    }
    bool only = f == FACT_RECIPIENT || f == FACT_RECIPIENT_DOMAIN; // at content there are many
    if (fact_infos[f].stage > stage || (only && stage != CONFIG_STAGE_RECIPIENT)) {
        config_report_add(b->report, place, "expected a fact that is known at %s, found \"%s\", which is known %s %s",
                          config_stage_names[stage], fact_infos[f].name, only ? "only at" : "from",
                          config_stage_names[fact_infos[f].stage]);
        return false;
    }
    *out = f;
    return true;
}

static struct rule_expression *new_node(struct rule_lex *lex, enum rule_operator op) {
    struct rule_expression *e = config_alloc(lex->b, sizeof *e);
    *e = (struct rule_expression){.op = op};
    return e;
}

// --- values

static bool is_value(const struct rule_lex *lex) {
    return lex->token.kind == RULE_TOKEN_WORD || lex->token.kind == RULE_TOKEN_QUOTED;
}

static bool parse_number(struct rule_lex *lex, int64_t *out) {
    const struct config_directive d = {.type = CONFIG_BIG_SIZE, .least = 0, .most = 1LL << 50};
    struct slice s = lex->token.text;
    bool minus = slice_starts(s, SLICE("-"));
    uint64_t value;
    if (!is_value(lex) || !config_value_parse(&d, slice_from(s, minus), &value)) {
        rules_lex_mistake(lex, "a number such as 8, or 10M", NULL);
        return false;
    }
    *out = minus ? -(int64_t)value : (int64_t)value;
    rules_lex_next(lex);
    return true;
}

// A word that the fact can be, where those are few.
static bool check_choice(struct rule_lex *lex, enum fact fact) {
    char expected[160];
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (choices[i].fact != fact)
            continue;
        struct config_near near = config_near_start(lex->token.text);
        size_t at = 0;
        for (size_t w = 0; w < 8 && choices[i].words[w]; w++) {
            if (slice_ieq(lex->token.text, slice_str(choices[i].words[w])))
                return true;
            config_near_offer(&near, choices[i].words[w]);
            at += (size_t)snprintf(expected + at, sizeof expected - at, "%s%s", w ? ", " : "one of ",
                                   choices[i].words[w]);
        }
        rules_lex_mistake(lex, expected, near.best);
        return false;
    }
    return true;
}

// A text as it is; of an IP an address or, `nets`, a network.
static bool parse_item(struct rule_lex *lex, enum fact fact, bool nets, struct rule_item *out) {
    struct slice text = lex->token.text;
    *out = (struct rule_item){0};
    if (fact_infos[fact].type == FACT_IP) {
        if (!is_value(lex) || !netaddr_parse_net(text, &out->net) ||
            (!nets && out->net.bits != (out->net.base.family == NETADDR_V4 ? 32 : 128))) {
            rules_lex_mistake(lex,
                              nets ? "a network such as 192.0.2.0/24, or the name of a table"
                                   : "an address (a network stands behind \"in\")",
                              NULL);
            return false;
        }
    } else if (!is_value(lex)) {
        rules_lex_mistake(lex, "a text", NULL);
        return false;
    } else if (!check_choice(lex, fact)) {
        return false;
    }
    out->text = config_dup(lex->b, text);
    rules_lex_next(lex);
    return true;
}

static void mistake_table(struct rule_lex *lex, enum fact fact) {
    struct config_near near = config_near_start(lex->token.text);
    bool ip = fact_infos[fact].type == FACT_IP;
    for (size_t i = 0; i < lex->b->c->tables_n; i++)
        config_near_offer(&near, lex->b->c->tables[i].name.p); // config_dup ends it with a NUL
    rules_lex_mistake(lex,
                      near.best ? "the name of a table"
                      : ip      ? "the name of a table, or a network such as 192.0.2.0/24"
                                : "the name of a table (a text alone is written in quotes)",
                      near.best);
}

static bool parse_table(struct rule_lex *lex, enum fact fact, struct rule_item *out) {
    struct config_table *table = config_table_find(lex->b->c, lex->token.text);
    if (!table) {
        mistake_table(lex, fact);
        return false;
    }
    if (table->kind == CONFIG_TABLE_ALIASES) {
        rules_lex_mistake(lex, "a table of kind file, inline, cidr or regex", NULL);
        return false;
    }
    table->matched = true;
    *out = (struct rule_item){.table = true, .text = table->name};
    rules_lex_next(lex);
    return true;
}

static void add_item(struct rule_lex *lex, struct rule_expression *e, const struct rule_item *item) {
    e->items = config_append(lex->b, e->items, &e->items_n, sizeof *item);
    e->items[e->items_n - 1] = *item;
}

// One word alone is a table; with commas they are words, or networks beside tables.
static bool parse_items(struct rule_lex *lex, struct rule_expression *e) {
    bool ip = fact_infos[e->fact].type == FACT_IP;
    for (;;) {
        struct rule_lex ahead = *lex;
        struct netaddr_net net;
        struct rule_item item;
        rules_lex_next(&ahead);
        bool alone = e->items_n == 0 && !rules_lex_is(&ahead, ",");
        bool table = lex->token.kind == RULE_TOKEN_WORD && (ip ? !netaddr_parse_net(lex->token.text, &net) : alone);
        if (!(table ? parse_table(lex, e->fact, &item) : parse_item(lex, e->fact, true, &item)))
            return false;
        if (e->items_n == RULES_ITEMS_MAX) {
            rules_lex_mistake(lex, "at most 256 words (more belong in a table)", NULL);
            return false;
        }
        add_item(lex, e, &item);
        if (!rules_lex_is(lex, ","))
            return true;
        rules_lex_next(lex);
    }
}

static bool parse_pattern(struct rule_lex *lex, struct rule_expression *e) {
    struct err why;
    if (lex->token.kind != RULE_TOKEN_QUOTED) {
        rules_lex_mistake(lex, "a pattern in quotes", NULL);
        return false;
    }
    if (!pattern_compile(lex->token.text, &lex->b->c->arena, &e->pattern, &why)) {
        config_report_add(lex->b->report, lex->token.place, "expected a regular expression, found that %s", why.text);
        return false;
    }
    rules_lex_next(lex);
    return true;
}

// --- comparisons

static bool parse_sign(struct rule_lex *lex, enum fact_type type, enum rule_operator *out) {
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (lex->token.kind != RULE_TOKEN_SIGN || !slice_eq(lex->token.text, slice_str(signs[i].sign)))
            continue;
        if (type != FACT_NUMBER && signs[i].op >= RULE_LESS)
            break;
        *out = signs[i].op;
        rules_lex_next(lex);
        return true;
    }
    struct config_near near = config_near_start(lex->token.text);
    if (type == FACT_TEXT)
        config_near_offer(&near, "matches");
    rules_lex_mistake(lex, signs_expected[type], near.best);
    return false;
}

static bool parse_comparison(struct rule_lex *lex, struct rule_expression *e) {
    enum fact_type type = fact_infos[e->fact].type;
    if (type != FACT_NUMBER && rules_lex_is(lex, "in")) {
        e->op = RULE_IN;
        rules_lex_next(lex);
        return parse_items(lex, e);
    }
    if (type == FACT_TEXT && rules_lex_is(lex, "matches")) {
        e->op = RULE_MATCHES;
        rules_lex_next(lex);
        return parse_pattern(lex, e);
    }
    if (!parse_sign(lex, type, &e->op))
        return false;
    if (type == FACT_NUMBER)
        return parse_number(lex, &e->number);
    struct rule_item item;
    if (!parse_item(lex, e->fact, false, &item))
        return false;
    add_item(lex, e, &item);
    return true;
}

static bool is_field_name(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || s.p[i] == ':')
            return false;
    return s.n > 0 && s.n <= 76;
}

// `tls = yes`: what is yes or no by itself is compared with nothing.
static void mistake_bool(struct rule_lex *lex, enum fact fact) {
    struct slice found = config_report_quote(lex->b->report, lex->token.text);
    config_report_add(lex->b->report, lex->token.place,
                      "expected \"%s\" or \"not %s\" alone, since it is yes or no, found %.*s", fact_infos[fact].name,
                      fact_infos[fact].name, SLICE_ARG(found));
}

static struct rule_expression *parse_fact(struct rule_lex *lex) {
    struct rule_expression *e = new_node(lex, RULE_IS);
    e->leaves = 1;
    if (lex->token.kind != RULE_TOKEN_WORD) {
        rules_lex_mistake(lex, "a fact", NULL);
        return NULL;
    }
    if (!rules_find_fact(lex->b, lex->stage, lex->token.text, lex->token.place, &e->fact))
        return NULL;
    rules_lex_next(lex);
    if (e->fact == FACT_HEADER) {
        if (!is_value(lex) || !is_field_name(lex->token.text)) {
            rules_lex_mistake(lex, "the name of a header field", NULL);
            return NULL;
        }
        e->name = config_dup(lex->b, lex->token.text);
        rules_lex_next(lex);
    }
    if (fact_infos[e->fact].type != FACT_BOOL)
        return parse_comparison(lex, e) ? e : NULL;
    if (lex->token.kind != RULE_TOKEN_SIGN || rules_lex_is(lex, ")"))
        return e;
    mistake_bool(lex, e->fact);
    return NULL;
}

// --- and, or, not

static struct rule_expression *parse_any(struct rule_lex *lex, unsigned depth);

static struct rule_expression *parse_one(struct rule_lex *lex, unsigned depth) {
    bool negated = rules_lex_is(lex, "not"), open = rules_lex_is(lex, "(");
    if (!negated && !open)
        return parse_fact(lex);
    if (depth >= RULES_DEPTH_MAX) {
        rules_lex_mistake(lex, "at most 16 parentheses inside each other", NULL);
        return NULL;
    }
    rules_lex_next(lex);
    struct rule_expression *below = negated ? parse_one(lex, depth + 1) : parse_any(lex, depth + 1);
    if (!below)
        return NULL;
    if (negated) {
        struct rule_expression *e = new_node(lex, RULE_NOT);
        e->first = below;
        e->leaves = below->leaves;
        return e;
    }
    if (!rules_lex_is(lex, ")")) {
        rules_lex_mistake(lex, "\"and\", \"or\" or \")\"", NULL);
        return NULL;
    }
    rules_lex_next(lex);
    return below;
}

// One kind of them in a row: a list, so that its length costs no depth.
static struct rule_expression *parse_row(struct rule_lex *lex, unsigned depth, enum rule_operator op) {
    struct rule_expression *row = NULL, **tail = NULL, *one;
    for (;;) {
        one = op == RULE_OR ? parse_row(lex, depth, RULE_AND) : parse_one(lex, depth);
        if (!one)
            return NULL;
        if (row) {
            row->leaves += one->leaves;
            *tail = one;
            tail = &one->next;
        }
        if ((row ? row : one)->leaves > RULES_LEAVES_MAX) {
            rules_lex_mistake(lex, "at most 64 comparisons in a rule", NULL);
            return NULL;
        }
        if (!rules_lex_is(lex, op == RULE_OR ? "or" : "and"))
            return row ? row : one;
        if (!row) {
            row = new_node(lex, op);
            row->first = one;
            row->leaves = one->leaves;
            tail = &one->next;
        }
        rules_lex_next(lex);
    }
}

static struct rule_expression *parse_any(struct rule_lex *lex, unsigned depth) {
    return parse_row(lex, depth, RULE_OR);
}

struct rule_expression *rules_parse(struct rule_lex *lex) {
    return parse_any(lex, 0);
}
