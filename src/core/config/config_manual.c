// config_manual: writes mdoc(7): a list of directives, and in each block's entry a list of its settings; a list of
// facts; the built-in rules.
#include "core/config/config_manual.h"

#include "core/config/config_schema.h"
#include "core/config/config_value.h"
#include "core/rules/rules.h"

// A character that mdoc would take for its own stands behind \&.
static void add_text(struct buf *out, struct slice text) {
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\')
            buf_add_str(out, "\\e");
        else if (text.p[i] == '"')
            buf_add_str(out, "\\(dq");
        else
            buf_add_char(out, text.p[i]);
    }
}

enum look { LOOK_ARGUMENT, LOOK_WORD, LOOK_OTHER };

static enum look look_of(char c) {
    if (c >= 'A' && c <= 'Z')
        return LOOK_ARGUMENT;
    return (c >= 'a' && c <= 'z') || c == '-' ? LOOK_WORD : LOOK_OTHER;
}

// "mx|http ADDRESS:PORT": words to type are Cm, words to replace are Ar, the rest is as it stands.
static void add_syntax(struct buf *out, struct slice syntax) {
    static const char *const macros[] = {[LOOK_ARGUMENT] = " Ar ", [LOOK_WORD] = " Cm ", [LOOK_OTHER] = " No "};
    struct slice word;
    while (syntax.n) {
        slice_cut(syntax, ' ', &word, &syntax);
        for (size_t i = 0, end; i < word.n; i = end) {
            enum look look = look_of(word.p[i]);
            for (end = i; end < word.n && look_of(word.p[end]) == look;)
                end++;
            buf_add_str(out, i ? " Ns" : "");
            buf_add_str(out, macros[look]);
            buf_add_str(out, look == LOOK_OTHER ? "\\&" : "");
            add_text(out, slice_of(word.p + i, end - i));
        }
    }
    buf_add_char(out, '\n');
}

// A sentence a line, as mdoc wants it.
static void add_sentences(struct buf *out, const char *doc) {
    for (const char *at = doc; *at; at++) {
        if (at[0] == ' ' && at > doc && at[-1] == '.' && at[1] >= 'A' && at[1] <= 'Z')
            buf_add_char(out, '\n');
        else
            add_text(out, slice_of(at, 1));
    }
    buf_add_char(out, '\n');
}

static void add_bounds(struct buf *out, const struct config_directive *d) {
    bool bounded = config_schema_arity(d) > 0 && d->type != CONFIG_CHOICE && d->type != CONFIG_SWITCH &&
                   d->type != CONFIG_PATH && d->least != d->most;
    if (d->fallback) {
        buf_add_str(out, "The default is\n.Ql ");
        add_text(out, slice_str(d->fallback));
        buf_add_str(out, bounded ? " ;\n" : " .\n");
    }
    if (bounded) {
        buf_add_str(out, "from ");
        config_value_write(out, d, d->least);
        buf_add_str(out, " to ");
        config_value_write(out, d, d->most);
        buf_add_str(out, ".\n");
    }
    if (d->reply)
        buf_addf(out, "The reply past it is\n.Ql %s .\n", d->reply);
}

static bool has_settings(const char *block) {
    const struct config_directive *d;
    for (size_t i = 0; (d = config_schema_at(i)); i++)
        if (strcmp(d->block, block) == 0)
            return true;
    return false;
}

static void add_list(struct buf *out, const char *block) {
    buf_add_str(out, *block ? ".Bl -tag -width Ds -compact\n" : ".Bl -tag -width Ds\n");
    const struct config_directive *d;
    for (size_t i = 0; (d = config_schema_at(i)); i++) {
        if (strcmp(d->block, block) != 0)
            continue;
        buf_addf(out, ".It Ic %s", d->name);
        add_syntax(out, slice_str(d->syntax));
        add_sentences(out, d->doc);
        add_bounds(out, d);
        if (!*block && has_settings(d->name)) {
            buf_add_str(out, ".Pp\n");
            add_list(out, d->name); // one level: no block's setting is a block
        }
    }
    buf_add_str(out, ".El\n");
}

bool config_manual_write(struct buf *out) {
    add_list(out, "");
    return !out->failed;
}

bool config_manual_write_facts(struct buf *out) {
    static const char *const types[] = {
        [FACT_BOOL] = "yes or no", [FACT_NUMBER] = "number", [FACT_TEXT] = "text", [FACT_IP] = "address"};
    for (enum config_stage s = 0; s < CONFIG_STAGE_COUNT; s++) {
        buf_addf(out, "From\n.Cm %s\non:\n.Bl -tag -width Ds -compact\n", config_stage_names[s]);
        for (enum fact f = 0; f < FACT_COUNT; f++) {
            if (fact_infos[f].stage != s)
                continue;
            buf_addf(out, ".It Ic %s Pq %s\n", fact_infos[f].name, types[fact_infos[f].type]);
            add_text(out, slice_str(fact_infos[f].doc));
            buf_add_char(out, '\n');
        }
        buf_add_str(out, s + 1 < CONFIG_STAGE_COUNT ? ".El\n.Pp\n" : ".El\n");
    }
    return !out->failed;
}

bool config_manual_write_built_in(struct buf *out) {
    buf_add_str(out, ".Bd -literal\n");
    for (enum config_stage s = 0; s < CONFIG_STAGE_COUNT; s++) {
        struct slice text = slice_str(rules_built_in_text(s)), line;
        buf_addf(out, "policy %s {\n", config_stage_names[s]);
        while (text.n) {
            slice_cut(text, '\n', &line, &text);
            buf_add_str(out, "    ");
            add_text(out, line);
            buf_add_char(out, '\n');
        }
        buf_add_str(out, "}\n");
    }
    buf_add_str(out, ".Ed\n");
    return !out->failed;
}
