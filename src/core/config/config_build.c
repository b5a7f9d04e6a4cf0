// config_build: walks the tree with the schema in hand. What has a simple type is stored here; the rest reads its own
// words in config_part_*.c.
#include "core/config/config_build.h"

#include "core/config/config_near.h"
#include "core/config/config_value.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXPECTED_MAX = 160 };

void *config_alloc(struct config_builder *b, size_t n) {
    void *p = arena_alloc(&b->c->arena, n);
    if (!p)
        abort(); // the text is at most 1 MiB and the arena's maximum far from it: there is no memory
    return p;
}

struct slice config_dup(struct config_builder *b, struct slice s) {
    char *p = config_alloc(b, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

struct slice config_dup_lower(struct config_builder *b, struct slice s) {
    char *p = config_alloc(b, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    return slice_of(p, s.n);
}

struct slice config_dup_path(struct config_builder *b, struct slice path) {
    if (slice_starts(path, SLICE("/")) || b->directory.n == 0)
        return config_dup(b, path);
    bool slash = slice_ends(b->directory, SLICE("/"));
    size_t n = b->directory.n + !slash + path.n;
    char *p = config_alloc(b, n + 1);
    memcpy(p, b->directory.p, b->directory.n);
    p[b->directory.n] = '/';
    if (path.n)
        memcpy(p + n - path.n, path.p, path.n);
    return slice_of(p, n);
}

// Doubles at each power of two; what was before stays in the arena until the configuration goes.
void *config_append(struct config_builder *b, void *array, size_t *n, size_t size) {
    if ((*n & (*n - 1)) == 0) {
        void *grown = config_alloc(b, (*n ? *n * 2 : 1) * size);
        if (*n)
            memcpy(grown, array, *n * size);
        array = grown;
    }
    ++*n;
    return array;
}

bool config_is_host(struct slice s) {
    size_t label = 0;
    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i <= s.n; i++) {
        if (i == s.n || s.p[i] == '.') {
            if (label == 0 || label > 63 || s.p[i - 1] == '-')
                return false;
            label = 0;
        } else if (ascii_alnum(s.p[i]) || (s.p[i] == '-' && label > 0)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

const struct config_word *config_take(struct config_builder *b, const struct config_node *node,
                                      const struct config_word **args, const char *expected) {
    const struct config_word *word = *args;
    if (word)
        *args = word->next;
    else
        config_report_add(b->report, node->end, "expected %s, found %s", expected,
                          node->has_block ? "\"{\"" : "the end of the directive");
    return word;
}

bool config_take_end(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    if (args)
        config_report_word(b->report, args->place, "the end of the directive", args->text, NULL);
    else if (node->has_block)
        config_report_add(b->report, node->opened, "expected the end of the directive, found \"{\"");
    return !args && !node->has_block;
}

bool config_take_keyword(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                         const char *keyword) {
    const char *const only[] = {keyword, NULL};
    size_t index;
    return config_take_choice(b, node, args, only, &index);
}

static void expect_choices(const char *const *choices, char *text, size_t n) {
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; choices[i] && at < n; i++) {
        const char *glue = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
        at += (size_t)snprintf(text + at, n - at, "%s\"%s\"", glue, choices[i]);
    }
}

bool config_take_choice(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                        const char *const *choices, size_t *out) {
    char expected[EXPECTED_MAX];
    expect_choices(choices, expected, sizeof expected);
    const struct config_word *word = config_take(b, node, args, expected);
    if (!word)
        return false;
    struct config_near near = config_near_start(word->text);
    for (size_t i = 0; choices[i]; i++) {
        if (slice_eq(word->text, slice_str(choices[i]))) {
            *out = i;
            return true;
        }
        config_near_offer(&near, choices[i]);
    }
    config_report_word(b->report, word->place, expected, word->text, near.best);
    return false;
}

static bool build_value(struct config_builder *b, const struct config_directive *d, const struct config_node *node,
                        const struct config_word **args, bool second) {
    char expected[EXPECTED_MAX];
    config_value_expected(d, expected, sizeof expected);
    const struct config_word *word = config_take(b, node, args, expected);
    if (!word)
        return false;
    uint64_t value;
    if (!config_value_parse(d, word->text, &value)) {
        struct config_near near = config_near_start(word->text);
        for (size_t i = 0; d->choices && d->choices[i]; i++)
            config_near_offer(&near, d->choices[i]);
        config_report_word(b->report, word->place, expected, word->text, near.best);
        return false;
    }
    if (d->at != SIZE_MAX)
        config_value_store(b->c, d, second, value);
    return true;
}

static bool build_path(struct config_builder *b, const struct config_directive *d, const struct config_node *node,
                       const struct config_word **args) {
    const struct config_word *word = config_take(b, node, args, "a path");
    if (!word)
        return false;
    if (word->text.n == 0) {
        config_report_word(b->report, word->place, "a path", word->text, NULL);
        return false;
    }
    struct slice path = config_dup_path(b, word->text);
    memcpy((char *)b->c + d->at, &path, sizeof path);
    return true;
}

// Reads a setting's words from the front of `args`; false after a mistake.
static bool build_setting(struct config_builder *b, const struct config_directive *d, const struct config_node *node,
                          const struct config_word **args) {
    if (d->type == CONFIG_PATH)
        return build_path(b, d, node, args);
    if (!build_value(b, d, node, args, false))
        return false;
    if (d->type != CONFIG_COUNT_RANGE && d->type != CONFIG_TIME_RANGE)
        return true;
    const struct config_word *upper = NULL;
    if (!config_take_keyword(b, node, args, ".."))
        return false;
    upper = *args;
    if (!build_value(b, d, node, args, true))
        return false;
    if (config_value_load(b->c, d, false) <= config_value_load(b->c, d, true))
        return true;
    config_report_word(b->report, upper->place, "an upper end that is not below the lower one", upper->text, NULL);
    return false;
}

// A directive that isn't `many` counts once in the file, or once in its domain.
static void note_seen(struct config_builder *b, const struct config_directive *d, struct config_place place) {
    struct config_place *seen = &b->seen[config_schema_index(d)];
    if (!d->many && d->type != CONFIG_SECTION && seen->line)
        config_report_add(b->report, place, "expected \"%s\" once, found it again (first on line %u)", d->name,
                          seen->line);
    if (!seen->line)
        *seen = place;
}

void config_forget_seen(struct config_builder *b, const char *block) {
    const struct config_directive *d;
    for (size_t i = 0; (d = config_schema_at(i)); i++)
        if (strcmp(d->block, block) == 0)
            b->seen[i] = (struct config_place){0, 0};
}

static const char *first_word(const char *name, char *text, size_t n) {
    snprintf(text, n, "%.*s", (int)strcspn(name, " "), name);
    return text;
}

// For a first word that only begins names of two words: the names, and what is nearest to the second word.
static bool expect_second(const char *block, struct slice first, struct config_near *near, char *text, size_t n) {
    const struct config_directive *d;
    size_t at = 0;
    for (size_t i = 0; (d = config_schema_at(i)) && at < n; i++) {
        struct slice head, rest;
        if (strcmp(d->block, block) != 0 || !slice_cut(slice_str(d->name), ' ', &head, &rest) || !slice_eq(head, first))
            continue;
        config_near_offer(near, rest.p);
        at += (size_t)snprintf(text + at, n - at, "%s\"%s\"", at ? " or " : "", d->name);
    }
    return at > 0;
}

static void mistake_unknown(struct config_builder *b, const char *block, const struct config_node *node,
                            const struct config_word *word) {
    char expected[EXPECTED_MAX], names[CONFIG_DIRECTIVES_MAX][24];
    const struct config_word *second = word->next;
    struct config_near near = config_near_start(second ? second->text : SLICE_EMPTY);
    if (expect_second(block, word->text, &near, expected, sizeof expected)) {
        if (config_take(b, node, &second, expected))
            config_report_word(b->report, word->next->place, expected, word->next->text, near.best);
        return;
    }
    near = config_near_start(word->text);
    const struct config_directive *d;
    for (size_t i = 0; (d = config_schema_at(i)); i++)
        if (strcmp(d->block, block) == 0)
            config_near_offer(&near, first_word(d->name, names[i], sizeof names[i]));
    if (*block)
        snprintf(expected, sizeof expected, "a setting of \"%s\"", block);
    else
        snprintf(expected, sizeof expected, "a directive");
    config_report_word(b->report, word->place, expected, word->text, near.best);
}

static const struct config_directive *find(const char *block, const struct config_word *word) {
    return config_schema_find(block, word->text, word->next ? word->next->text : SLICE_EMPTY);
}

// Settings one after the other on the section's own line: workers smtpd 1 relay 1
static void build_line(struct config_builder *b, const struct config_directive *section, const struct config_node *node,
                       const struct config_word *args) {
    const struct config_word *word;
    do {
        word = config_take(b, node, &args, "a setting or \"{\"");
        const struct config_directive *d = word ? find(section->name, word) : NULL;
        if (word && !d)
            mistake_unknown(b, section->name, node, word);
        if (!d)
            return;
        note_seen(b, d, word->place);
        if (!build_setting(b, d, node, &args))
            return;
    } while (args);
}

static void build_section(struct config_builder *b, const struct config_directive *d, const struct config_node *node,
                          const struct config_word *args) {
    if (!node->has_block) {
        build_line(b, d, node, args);
        return;
    }
    if (args)
        config_report_word(b->report, args->place, "\"{\"", args->text, NULL);
    config_build_block(b, d->name, node->block);
}

static void build_directive(struct config_builder *b, const char *block, const struct config_node *node) {
    const struct config_directive *d = find(block, node->words);
    if (!d) {
        mistake_unknown(b, block, node, node->words);
        return;
    }
    const struct config_word *args = node->words->next;
    if (strchr(d->name, ' '))
        args = args->next;
    note_seen(b, d, node->words->place);
    if (d->type == CONFIG_SECTION)
        build_section(b, d, node, args);
    else if (d->type == CONFIG_PART)
        d->build(b, node, args);
    else if (build_setting(b, d, node, &args))
        config_take_end(b, node, args);
}

void config_build_block(struct config_builder *b, const char *block, const struct config_node *list) {
    for (const struct config_node *node = list; node && !config_report_full(b->report); node = node->next)
        build_directive(b, block, node);
}

static bool is_named_by_others(const struct config_node *node) {
    return slice_eq(node->words->text, SLICE("table")) || slice_eq(node->words->text, SLICE("filter"));
}

static void build_top(struct config_builder *b, const struct config_node *list, bool named_by_others) {
    for (const struct config_node *node = list; node && !config_report_full(b->report); node = node->next)
        if (is_named_by_others(node) == named_by_others)
            build_directive(b, "", node);
}

// The defaults are written in the language, and read as it is read.
static void build_default(struct config_builder *b, const struct config_directive *d) {
    struct slice rest = slice_str(d->fallback), words[3];
    struct config_word list[3] = {0};
    size_t n = 0;
    do {
        slice_cut(rest, ' ', &words[n], &rest);
        list[n] = (struct config_word){.text = words[n]};
        if (n > 0)
            list[n - 1].next = &list[n];
    } while (++n < 3 && rest.n);
    const struct config_node node = {.words = list};
    const struct config_word *args = list;
    if (!build_setting(b, d, &node, &args))
        abort(); // the schema contradicts itself
}

void config_build(struct config *c, const struct config_node *tree, struct slice directory,
                  struct config_report *report) {
    struct config_builder b = {.c = c, .report = report, .directory = directory};
    const struct config_directive *d;
    for (size_t i = 0; (d = config_schema_at(i)); i++)
        if (d->fallback && config_schema_arity(d) && d->at != SIZE_MAX)
            build_default(&b, d);
    c->control = SLICE_EMPTY;
    build_top(&b, tree, true); // a domain may name a table that comes after it, a rule a filter
    build_top(&b, tree, false);
    config_gate_complete(&b);
    if (c->control.n == 0) {
        b.directory = c->state;
        c->control = config_dup_path(&b, SLICE("control.sock"));
    }
}
