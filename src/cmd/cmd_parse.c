// cmd_parse: whether a record or an address is well-formed, or what is wrong with it and where.
#include "cmd/cmd.h"
#include "cmd/input.h"
#include "cmd/parse_kinds.h"
#include "cmd/show.h"

#include "base/json.h"
#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { TEXT_MAX = 256 * 1024, JSON_MAX = 8 * 1024 * 1024, ARENA_MAX = 8 * 1024 * 1024, SHOWN_MAX = 400 };

struct finding {
    struct slice text; // that was parsed
    bool valid;
    const char *why;     // without the place in front
    size_t line, column; // from 1; 0: not told
};

static const struct parse_kind *find_kind(const char *name) {
    for (const struct parse_kind *k = parse_kinds; k->name; k++)
        if (!strcmp(k->name, name))
            return k;
    return NULL;
}

// --- places

// "column 12: " or "line 3, column 5: " at the start of *why is taken off.
static bool take_place(const char **why, const char *word, const char *end, size_t *out) {
    struct slice rest = slice_str(*why), number;
    uint64_t value;
    size_t n = strlen(word);
    if (!slice_starts(rest, slice_str(word)))
        return false;
    number = slice_upto(slice_from(rest, n), slice_search(slice_from(rest, n), slice_str(end)));
    if (!num_u64(number, SIZE_MAX / 2, &value))
        return false;
    *out = (size_t)value;
    *why += n + number.n + strlen(end);
    return true;
}

static void take_places(struct finding *f) {
    if (take_place(&f->why, "line ", ", ", &f->line) && !take_place(&f->why, "column ", ": ", &f->column))
        f->line = 0;
    else if (f->line == 0)
        take_place(&f->why, "column ", ": ", &f->column);
}

// --- JSON

static void put_value(struct json *j, const struct parse_fact *f) {
    uint64_t number = 0;
    if (f->kind == PARSE_YES_NO)
        json_bool(j, slice_eq(f->value, SLICE("yes")));
    else if (f->kind == PARSE_NUMBER && num_u64(f->value, UINT64_MAX, &number))
        json_u64(j, number);
    else
        json_slice(j, f->value);
}

static void put_facts(struct json *j, const struct parse_facts *facts) {
    json_open_object(j);
    for (size_t i = 0; i < facts->n; i++) {
        const struct parse_fact *f = &facts->list[i];
        json_key(j, f->name);
        if (f->kind != PARSE_LIST) {
            put_value(j, f);
            continue;
        }
        json_open_array(j);
        put_value(j, f);
        while (i + 1 < facts->n && facts->list[i + 1].name == f->name)
            put_value(j, &facts->list[++i]);
        json_end(j);
    }
    json_end(j);
}

static void show_json(const struct finding *f, const struct parse_facts *facts) {
    BUF_AUTO struct buf b = {.max = JSON_MAX};
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_bool(&j, "valid", f->valid);
    if (!f->valid)
        json_put_str(&j, "error", f->why);
    if (f->line)
        json_put_u64(&j, "line", f->line);
    if (f->column)
        json_put_u64(&j, "column", f->column);
    if (f->valid) {
        json_key(&j, "parsed");
        put_facts(&j, facts);
    }
    json_end(&j);
    buf_add_char(&b, '\n');
    if (b.failed)
        abort();
    fwrite(b.p, 1, b.n, stdout);
}

// --- for people

static void show_slice(struct slice s) {
    char text[SHOWN_MAX];
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(s));
    for (char *p = text; *p; p++) // a byte, a column
        if (*p == '\t' || *p == '\r')
            *p = ' ';
    show_text(stdout, text);
    fputc('\n', stdout);
}

static void show_facts(const struct parse_facts *facts) {
    for (size_t i = 0; i < facts->n; i++) {
        printf("  %-13s ", facts->list[i].name);
        show_slice(facts->list[i].value);
    }
}

// How many columns of the terminal the text before a byte takes: a character of several bytes is one.
static size_t width_before(struct slice text, size_t bytes) {
    size_t width = 0;
    for (size_t i = 0; i < bytes && i < text.n; i++)
        width += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return width + (bytes > text.n ? bytes - text.n : 0);
}

static void show_caret(const struct finding *f) {
    struct slice text = f->text, line = text;
    for (size_t i = 0; i < (f->line ? f->line : 1); i++)
        slice_cut(text, '\n', &line, &text);
    if (f->column == 0 || f->column > SHOWN_MAX || memchr(line.p ? line.p : "", 0, line.n))
        return;
    fputs("  ", stdout);
    show_slice(line);
    printf("  %*s%s^%s\n", (int)width_before(line, f->column - 1), "", show_colour(stdout, SHOW_BAD),
           show_colour(stdout, SHOW_PLAIN));
}

static void show(const struct finding *f, const struct parse_facts *facts) {
    if (f->valid) {
        printf("%svalid%s\n", show_colour(stdout, SHOW_GOOD), show_colour(stdout, SHOW_PLAIN));
        show_facts(facts);
        return;
    }
    show_caret(f);
    printf("%swrong%s", show_colour(stdout, SHOW_BAD), show_colour(stdout, SHOW_PLAIN));
    if (f->line)
        printf(" at line %zu, column %zu", f->line, f->column);
    else if (f->column)
        printf(" at column %zu", f->column);
    fputs(": ", stdout);
    show_text(stdout, f->why);
    fputc('\n', stdout);
}

// --- all

static int parse(const struct args *a, const struct parse_kind *k, struct slice text) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    struct parse_facts *facts = calloc(1, sizeof *facts);
    struct err e = {0};
    if (!facts)
        abort();
    facts->arena = &arena;
    struct finding f = {.text = text, .valid = k->parse(text, facts, &e), .why = e.text};
    take_places(&f);
    if (a->json)
        show_json(&f, facts);
    else
        show(&f, facts);
    free(facts);
    return f.valid ? EX_OK : EX_DATAERR;
}

static int usage(const struct args *a, const char *text) {
    fprintf(stderr, "%s: parse: %s; see: %s parse --help\n", a->program, text, a->program);
    return EX_USAGE;
}

// The end of the only line is the shell's or the file's. Every byte of an address counts where it is asked for.
static struct slice read_text(const struct parse_kind *k, bool dash, struct slice text) {
    if ((k->exact && dash) || slice_find(text, '\n') + 1 != text.n)
        return text;
    text.n--;
    return slice_ends(text, SLICE("\r")) ? slice_upto(text, text.n - 1) : text;
}

int cmd_parse(const struct args *a) {
    static const char *const known[] = {"address", "spf",     "dkim-key", "dkim-signature",
                                        "dmarc",   "mta-sts", "tlsrpt",   NULL};
    BUF_AUTO struct buf input = {.max = TEXT_MAX};
    struct err e;
    if (a->words_n == 0)
        return usage(a, "wants to know what: address, spf, dkim-key, dkim-signature, dmarc, mta-sts or tlsrpt");
    const struct parse_kind *k = find_kind(a->words[0]);
    if (!k)
        return cmd_unknown(a, "parse", a->words[0], known);
    if (a->words_n > 2)
        return usage(a, "wants one text; put it in quotes");
    if (a->words_n == 2 && strcmp(a->words[1], "-"))
        return parse(a, k, slice_str(a->words[1]));
    if (!input_read(&input, &e)) {
        fprintf(stderr, "%s: parse: the text can't be read: %s\n", a->program, e.text);
        return EX_DATAERR;
    }
    return parse(a, k, read_text(k, a->words_n == 2, buf_slice(&input)));
}
