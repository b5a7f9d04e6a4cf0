// config_lex: characters to tokens.
#include "core/config/config_lex.h"

struct config_lex config_lex_start(struct slice text, struct arena *arena, struct config_report *report) {
    if (slice_starts(text, SLICE("\xef\xbb\xbf")))
        text = slice_from(text, 3); // a byte order mark that an editor left
    return (struct config_lex){text, {1, 1}, arena, report};
}

static void step(struct config_lex *lex) {
    unsigned char c = (unsigned char)lex->rest.p[0];
    lex->rest = slice_from(lex->rest, 1);
    if (c == '\n') {
        lex->place.line++;
        lex->place.column = 1;
    } else if ((c & 0xc0) != 0x80) { // UTF-8 continuation bytes are part of the character before
        lex->place.column++;
    }
}

static void skip_line(struct config_lex *lex) {
    while (lex->rest.n && lex->rest.p[0] != '\n')
        step(lex);
}

static void skip_blanks(struct config_lex *lex) {
    while (lex->rest.n) {
        char c = lex->rest.p[0];
        if (c == '#')
            skip_line(lex);
        else if (c == ' ' || c == '\t' || c == '\r')
            step(lex);
        else
            return;
    }
}

static bool is_control(char c) { return ((unsigned char)c < ' ' && c != '\t' && c != '\r') || c == 0x7f; }

static bool ends_word(char c) {
    return ascii_space(c) || c == ';' || c == '"' || c == '#' || c == '{' || c == '}' || is_control(c);
}

static struct slice unescape(struct config_lex *lex, struct slice raw) {
    char *out = arena_alloc(lex->arena, raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < raw.n; i++) {
        if (raw.p[i] == '\\' && i + 1 < raw.n)
            i++;
        out[n++] = raw.p[i];
    }
    return slice_of(out, n);
}

static struct slice quoted(struct config_lex *lex) {
    struct config_place open = lex->place;
    bool escaped = false;
    step(lex);
    const char *start = lex->rest.p;
    while (lex->rest.n && lex->rest.p[0] != '"' && lex->rest.p[0] != '\n') {
        if (is_control(lex->rest.p[0])) {
            config_report_word(lex->report, lex->place, "printable text in quotes", slice_upto(lex->rest, 1), NULL);
        } else if (lex->rest.p[0] == '\\') {
            escaped = true;
            struct config_place at = lex->place;
            step(lex);
            if (lex->rest.n == 0 || (lex->rest.p[0] != '"' && lex->rest.p[0] != '\\')) {
                config_report_word(lex->report, at, "\\\" or \\\\ in quotes", SLICE("\\"), NULL);
                continue;
            }
        }
        step(lex);
    }
    struct slice raw = start ? slice_of(start, (size_t)(lex->rest.n ? lex->rest.p - start : 0)) : SLICE_EMPTY;
    if (lex->rest.n == 0 || lex->rest.p[0] != '"') {
        config_report_add(lex->report, open, "expected a closing quote on this line, found none");
        return SLICE_EMPTY;
    }
    step(lex);
    return escaped ? unescape(lex, raw) : raw;
}

static struct slice plain(struct config_lex *lex) {
    const char *start = lex->rest.p;
    size_t n = 0;
    while (lex->rest.n && !ends_word(lex->rest.p[0])) {
        step(lex);
        n++;
    }
    // /var/mail/{domain} without quotes would read as a block.
    if (lex->rest.n && lex->rest.p[0] == '{') {
        config_report_add(lex->report, lex->place,
                          "expected a space before \"{\", found none; a word that holds braces is written in quotes");
        skip_line(lex);
    }
    return slice_of(start, n);
}

static struct config_token single(struct config_lex *lex, enum config_token_kind kind) {
    struct config_token token = {kind, lex->place, slice_upto(lex->rest, 1), false};
    step(lex);
    return token;
}

struct config_token config_lex_next(struct config_lex *lex) {
    for (;;) {
        skip_blanks(lex);
        if (lex->rest.n == 0 || config_report_full(lex->report))
            return (struct config_token){CONFIG_TOKEN_EOF, lex->place, SLICE_EMPTY, false};
        char c = lex->rest.p[0];
        struct config_place place = lex->place;
        if (c == '\n' || c == ';')
            return single(lex, CONFIG_TOKEN_END);
        if (c == '{')
            return single(lex, CONFIG_TOKEN_OPEN);
        if (c == '}')
            return single(lex, CONFIG_TOKEN_CLOSE);
        if (c == '"')
            return (struct config_token){CONFIG_TOKEN_WORD, place, quoted(lex), true};
        if (!is_control(c))
            return (struct config_token){CONFIG_TOKEN_WORD, place, plain(lex), false};
        config_report_word(lex->report, place, "printable text", slice_upto(lex->rest, 1), NULL);
        step(lex);
    }
}
