// rules_build: from the words of `policy STAGE { ... }` to rules: the action and what it needs, then when, then a text.
#include "core/rules/rules_inside.h"

#include "base/num.h"
#include "base/when.h"
#include "core/config/config_near.h"
#include "core/config/config_write.h"

enum { TEXT_BYTES_MAX = 400, TAG_BYTES_MAX = 64, HEADER_BYTES_MAX = 400, EXPECTED_MAX = 240, TARPIT_MAX = MS_MINUTE };

#define AT(stage) (1u << CONFIG_STAGE_##stage)
#define AT_ALL ((1u << CONFIG_STAGE_COUNT) - 1)

static const struct {
    const char *name;
    unsigned stages;
} actions[RULE_ACTIONS] = {
    [RULE_ACCEPT] = {"accept", AT_ALL},
    [RULE_REJECT] = {"reject", AT_ALL},
    [RULE_DEFER] = {"defer", AT_ALL},
    [RULE_GREYLIST] = {"greylist", AT(MAIL) | AT(RECIPIENT) | AT(CONTENT)},
    [RULE_TARPIT] = {"tarpit", AT_ALL},
    [RULE_TAG] = {"tag", AT_ALL},
    [RULE_HEADER] = {"header", AT(CONTENT)},
    [RULE_REDIRECT] = {"redirect", AT(RECIPIENT) | AT(CONTENT)},
    [RULE_QUARANTINE] = {"quarantine", AT(CONTENT)},
    [RULE_HOLD] = {"hold", AT(RECIPIENT) | AT(CONTENT)},
    [RULE_DISCARD] = {"discard", AT(RECIPIENT) | AT(CONTENT)},
    [RULE_ASK] = {"ask", AT_ALL},
};

const char *const rule_action_names[RULE_ACTIONS + 1] = {
    [RULE_ACCEPT] = "accept",     [RULE_REJECT] = "reject",     [RULE_DEFER] = "defer",
    [RULE_GREYLIST] = "greylist", [RULE_TARPIT] = "tarpit",     [RULE_TAG] = "tag",
    [RULE_HEADER] = "header",     [RULE_REDIRECT] = "redirect", [RULE_QUARANTINE] = "quarantine",
    [RULE_HOLD] = "hold",         [RULE_DISCARD] = "discard",   [RULE_ASK] = "ask",
    [RULE_ACTIONS] = NULL,
};

struct builder {
    struct config_builder *b;
    struct rules *rules;
    const struct config_node *node; // at hand
    bool built_in;
};

// --- what an action needs

static bool starts_with_digit(const struct config_word *word) {
    return word && !word->quoted && word->text.n && ascii_digit(word->text.p[0]);
}

static bool parse_enhanced(struct slice s, unsigned class, uint16_t out[3]) {
    for (size_t i = 0; i < 3; i++) {
        struct slice part;
        uint64_t value;
        bool more = slice_cut(s, '.', &part, &s);
        if (more != (i < 2) || part.n > 3 || !num_u64(part, 999, &value))
            return false;
        out[i] = (uint16_t)value;
    }
    return out[0] == class;
}

// [CODE [ENHANCED]]
static bool take_codes(struct builder *x, const struct config_word **args, struct rule *r) {
    unsigned class = r->action == RULE_REJECT ? 5 : 4;
    const char *code_expected = class == 5 ? "a code from 500 to 599" : "a code from 400 to 499";
    const char *enhanced_expected = class == 5 ? "a code such as 5.7.1" : "a code such as 4.7.1";
    const struct config_word *word = *args;
    uint64_t code = class == 5 ? 550 : 451;
    const uint16_t usual[3] = {(uint16_t) class, 7, 1};
    memcpy(r->enhanced, usual, sizeof usual);
    if (starts_with_digit(word)) {
        *args = word->next;
        if (!num_u64(word->text, 999, &code) || code / 100 != class) {
            config_report_word(x->b->report, word->place, code_expected, word->text, NULL);
            return false;
        }
        word = *args;
        if (starts_with_digit(word)) {
            *args = word->next;
            if (!parse_enhanced(word->text, class, r->enhanced)) {
                config_report_word(x->b->report, word->place, enhanced_expected, word->text, NULL);
                return false;
            }
        }
    }
    r->code = (uint16_t)code;
    return true;
}

static bool take_tag(struct builder *x, const struct config_word **args, struct rule *r) {
    static const char *const expected = "a word of letters, digits, - and _";
    const struct config_word *word = config_take(x->b, x->node, args, expected);
    bool good = word && word->text.n > 0 && word->text.n <= TAG_BYTES_MAX;
    for (size_t i = 0; good && i < word->text.n; i++)
        good = ascii_alnum(word->text.p[i]) || word->text.p[i] == '-' || word->text.p[i] == '_';
    if (word && !good)
        config_report_word(x->b->report, word->place, expected, word->text, NULL);
    if (good)
        r->argument = config_dup(x->b, word->text);
    return good;
}

static bool is_field(struct slice s) {
    size_t colon = slice_find(s, ':');
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x7f || (unsigned char)s.p[i] < ' ' || (i < colon && s.p[i] == ' '))
            return false;
    return colon > 0 && colon < s.n && s.n <= HEADER_BYTES_MAX;
}

static bool check_braces(struct builder *x, const struct config_word *word) {
    struct slice before, inner, header;
    size_t at = 0;
    while (rules_next_braces(word->text, &at, &before, &inner)) {
        enum fact fact;
        struct slice name = rules_fact_name(inner, &header);
        if (!rules_find_fact(x->b, x->rules->stage, name, word->place, &fact))
            return false;
    }
    return true;
}

static bool take_header(struct builder *x, const struct config_word **args, struct rule *r) {
    static const char *const expected = "a header field in quotes such as \"X-Spam: yes\"";
    const struct config_word *word = config_take(x->b, x->node, args, expected);
    if (!word)
        return false;
    if (!word->quoted || !is_field(word->text)) {
        config_report_word(x->b->report, word->place, expected, word->text, NULL);
        return false;
    }
    r->argument = config_dup(x->b, word->text);
    return check_braces(x, word);
}

static bool take_filter(struct builder *x, const struct config_word **args, struct rule *r) {
    const struct config_gate *g = &x->b->c->gate;
    const struct config_word *word = config_take(x->b, x->node, args, "the name of a filter");
    if (!word)
        return false;
    struct config_near near = config_near_start(word->text);
    for (size_t i = 0; i < g->filters_n; i++) {
        if (g->filters[i].kind != CONFIG_FILTER_DELEGATION)
            continue;
        config_near_offer(&near, g->filters[i].name.p); // config_dup ends it with a NUL
        if (!slice_eq(g->filters[i].name, word->text))
            continue;
        r->argument = g->filters[i].name;
        return true;
    }
    config_report_word(x->b->report, word->place, "the name of a filter of kind delegation", word->text, near.best);
    return false;
}

static bool take_argument(struct builder *x, const struct config_word **args, struct rule *r) {
    uint64_t ms;
    switch (r->action) {
    case RULE_REJECT:
    case RULE_DEFER:
        return take_codes(x, args, r);
    case RULE_TARPIT:
        if (!config_take_number(x->b, x->node, args, CONFIG_TIME, 10, TARPIT_MAX, &ms))
            return false;
        r->ms = (int64_t)ms;
        return true;
    case RULE_TAG:
        return take_tag(x, args, r);
    case RULE_HEADER:
        return take_header(x, args, r);
    case RULE_REDIRECT:
        return config_take_address(x->b, x->node, args, &r->argument);
    case RULE_ASK:
        return take_filter(x, args, r);
    default:
        return true;
    }
}

// --- the rule

static void mistake_action(struct builder *x, const struct config_word *word) {
    struct config_near near = config_near_start(word->text);
    char all[EXPECTED_MAX];
    struct buf b = {.p = all, .cap = sizeof all, .max = sizeof all};
    for (enum rule_action a = 0; a < RULE_ACTIONS; a++) {
        if (actions[a].stages & 1u << x->rules->stage)
            buf_addf(&b, "%s%s", b.n ? ", " : "an action (", actions[a].name);
        config_near_offer(&near, actions[a].name);
    }
    buf_add_str(&b, " or built-in)");
    buf_add_char(&b, '\0');
    config_near_offer(&near, "built-in");
    const char *best = rules_foreign(word->text) ? rules_foreign(word->text) : near.best;
    config_report_word(x->b->report, word->place, best ? "an action" : all, word->text, best);
}

// An action of other stages.
static void mistake_stage(struct builder *x, const struct config_word *word, enum rule_action a) {
    BUF_AUTO struct buf where = {.max = EXPECTED_MAX};
    for (enum config_stage s = 0; s < CONFIG_STAGE_COUNT; s++)
        if (actions[a].stages & 1u << s)
            buf_addf(&where, "%s%s", where.n ? ", " : "", config_stage_names[s]);
    config_report_add(x->b->report, word->place, "expected an action for %s, found \"%s\", which is one for %.*s only",
                      config_stage_names[x->rules->stage], actions[a].name, SLICE_ARG(buf_slice(&where)));
}

static bool take_action(struct builder *x, const struct config_word *word, struct rule *r) {
    enum rule_action a = 0;
    while (a < RULE_ACTIONS && !slice_eq(word->text, slice_str(actions[a].name)))
        a++;
    if (a == RULE_ACTIONS) {
        mistake_action(x, word);
        return false;
    }
    r->action = a;
    if (actions[a].stages & 1u << x->rules->stage)
        return true;
    mistake_stage(x, word, a);
    return false;
}

// `unless` is `when not`.
static const struct rule_expression *negate(struct builder *x, struct rule_expression *e) {
    struct rule_expression *n = config_alloc(x->b, sizeof *n);
    *n = (struct rule_expression){.op = RULE_NOT, .first = e, .leaves = e->leaves};
    return n;
}

static bool take_text(struct builder *x, const struct config_word *word, struct rule *r) {
    bool good = word->text.n > 0 && word->text.n <= TEXT_BYTES_MAX;
    for (size_t i = 0; good && i < word->text.n; i++)
        good = (unsigned char)word->text.p[i] >= ' ' && (unsigned char)word->text.p[i] < 0x7f;
    if (!good) {
        config_report_word(x->b->report, word->place, "a text of at most 400 characters of ASCII", word->text, NULL);
        return false;
    }
    r->text = config_dup(x->b, word->text);
    return check_braces(x, word);
}

// [when EXPRESSION | unless EXPRESSION] ["text"]
static bool take_rest(struct builder *x, const struct config_word *args, struct rule *r) {
    struct rule_lex lex;
    rules_lex_start(&lex, x->b, x->rules->stage, args, x->node->end);
    bool when = rules_lex_is(&lex, "when"), unless = rules_lex_is(&lex, "unless");
    if (when || unless) {
        rules_lex_next(&lex);
        struct rule_expression *e = rules_parse(&lex);
        if (!e)
            return false;
        r->when = unless ? negate(x, e) : e;
    }
    if (lex.token.kind == RULE_TOKEN_QUOTED) {
        const struct config_word word = {.text = lex.token.text, .place = lex.token.place};
        rules_lex_next(&lex);
        if (!take_text(x, &word, r))
            return false;
    }
    if (lex.token.kind == RULE_TOKEN_END)
        return true;
    struct config_near near = config_near_start(lex.token.text);
    config_near_offer(&near, "and");
    config_near_offer(&near, "unless");
    config_near_offer(&near, "when");
    rules_lex_mistake(&lex,
                      rules_lex_is(&lex, ",") ? "\"and\", \"or\" or a text in quotes (several values stand behind \"in\")"
                      : when || unless        ? "\"and\", \"or\" or a text in quotes"
                                              : "\"when\", \"unless\" or a text in quotes",
                      near.best);
    return false;
}

static struct slice source_of(struct builder *x) {
    BUF_AUTO struct buf source = {.max = (size_t)CONFIG_TEXT_MAX * 2};
    for (const struct config_word *word = x->node->words; word; word = word->next) {
        if (word->quoted)
            config_write_quoted(&source, word->text);
        else
            buf_add(&source, word->text);
        if (word->next)
            buf_add_char(&source, ' ');
    }
    return config_dup(x->b, buf_slice(&source));
}

static bool add_rule(struct builder *x, const struct rule *r) {
    if (x->rules->n == RULES_MAX) {
        config_report_add(x->b->report, r->place, "expected at most %d rules for a stage, found more", RULES_MAX);
        return false;
    }
    x->rules->list = config_append(x->b, x->rules->list, &x->rules->n, sizeof *r);
    x->rules->list[x->rules->n - 1] = *r;
    return true;
}

static void add_built_in(struct builder *x) {
    const struct rules *set = rules_built_in(x->b, x->rules->stage);
    config_take_end(x->b, x->node, x->node->words->next);
    for (size_t i = 0; i < set->n; i++)
        if (!add_rule(x, &set->list[i]))
            return;
}

static void build_rule(struct builder *x) {
    const struct config_word *args = x->node->words->next;
    struct rule r = {.place = x->node->words->place, .built_in = x->built_in};
    if (!x->built_in && slice_eq(x->node->words->text, SLICE("built-in"))) {
        add_built_in(x);
        return;
    }
    if (x->node->has_block)
        config_report_add(x->b->report, x->node->opened, "expected the end of the rule, found \"{\"");
    if (!take_action(x, x->node->words, &r) || !take_argument(x, &args, &r) || !take_rest(x, args, &r))
        return;
    r.source = source_of(x);
    add_rule(x, &r);
}

struct rules *rules_build_as(struct config_builder *b, enum config_stage stage, const struct config_node *block,
                             bool built_in) {
    struct builder x = {.b = b, .rules = config_alloc(b, sizeof *x.rules), .built_in = built_in};
    *x.rules = (struct rules){.stage = stage};
    for (x.node = block; x.node && !config_report_full(b->report); x.node = x.node->next)
        build_rule(&x);
    return x.rules;
}

struct rules *rules_build(struct config_builder *b, enum config_stage stage, const struct config_node *block) {
    return rules_build_as(b, stage, block, false);
}

bool rules_write(const struct rules *r, struct buf *out) {
    for (size_t i = 0; i < r->n; i++) {
        buf_add_str(out, "    ");
        buf_add(out, r->list[i].source);
        buf_add_char(out, '\n');
    }
    return !out->failed;
}
