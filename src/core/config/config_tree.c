// config_tree: tokens to directives, by recursive descent of bounded depth.
#include "core/config/config_tree.h"

struct parser {
    struct config_lex lex;
    struct config_token token; // looked at, not yet used
    struct arena *arena;
    struct config_report *report;
    bool stopped; // nothing after this is read
};

static void advance(struct parser *p) { p->token = config_lex_next(&p->lex); }

static void mistake(struct parser *p, const char *expected) {
    config_report_word(p->report, p->token.place, expected, p->token.text, NULL);
}

static void skip_to_end(struct parser *p) {
    while (p->token.kind == CONFIG_TOKEN_WORD)
        advance(p);
}

static struct config_node *parse_list(struct parser *p, struct config_place opened, unsigned depth);

static void parse_block(struct parser *p, struct config_node *node, unsigned depth) {
    struct config_place opened = p->token.place;
    if (depth >= CONFIG_DEPTH_MAX) {
        config_report_add(p->report, opened, "expected blocks at most %d deep, found a deeper one", CONFIG_DEPTH_MAX);
        p->stopped = true; // what follows would only be noise
        p->lex.rest = SLICE_EMPTY;
        advance(p);
        return;
    }
    advance(p);
    node->has_block = true;
    node->opened = opened;
    node->block = parse_list(p, opened, depth + 1);
    if (p->token.kind == CONFIG_TOKEN_WORD || p->token.kind == CONFIG_TOKEN_OPEN) {
        mistake(p, "a new line or \";\" after \"}\"");
        skip_to_end(p);
    }
}

static struct config_node *parse_directive(struct parser *p, unsigned depth) {
    struct config_node *node = ARENA_NEW(p->arena, struct config_node);
    struct config_word **tail = node ? &node->words : NULL;
    while (node && p->token.kind == CONFIG_TOKEN_WORD) {
        struct config_word *word = ARENA_NEW(p->arena, struct config_word);
        if (!word)
            return NULL;
        *word = (struct config_word){p->token.text, p->token.place, NULL, p->token.quoted};
        *tail = word;
        tail = &word->next;
        advance(p);
    }
    if (!node)
        return NULL;
    node->end = p->token.place;
    if (p->token.kind == CONFIG_TOKEN_OPEN)
        parse_block(p, node, depth);
    return node;
}

// Ends behind the } that belongs to `opened` (line 0: at the end of the text).
static struct config_node *parse_list(struct parser *p, struct config_place opened, unsigned depth) {
    struct config_node *first = NULL, **tail = &first, dropped;
    for (;;) {
        switch (p->token.kind) {
        case CONFIG_TOKEN_END:
            advance(p);
            break;
        case CONFIG_TOKEN_WORD:
            *tail = parse_directive(p, depth);
            if (!*tail)
                return first;
            tail = &(*tail)->next;
            break;
        case CONFIG_TOKEN_OPEN:
            mistake(p, "a directive");
            parse_block(p, &dropped, depth);
            break;
        case CONFIG_TOKEN_CLOSE:
            if (!opened.line)
                config_report_add(p->report, p->token.place, "expected a directive, found \"}\" that closes nothing");
            advance(p);
            if (opened.line)
                return first;
            break;
        case CONFIG_TOKEN_EOF:
            if (opened.line && !p->stopped)
                config_report_add(p->report, opened,
                                  "expected a closing \"}\" for this block, found the end of the file");
            return first;
        }
    }
}

struct config_node *config_tree_parse(struct slice text, struct arena *arena, struct config_report *report) {
    struct parser p = {.lex = config_lex_start(text, arena, report), .arena = arena, .report = report};
    advance(&p);
    return parse_list(&p, (struct config_place){0, 0}, 0);
}
