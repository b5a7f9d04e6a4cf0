// fuzz_match: any bytes as a table for rules and as what is looked for in it, the two separated by a NUL.
#include "fuzz.h"

#include "core/rules/match.h"

// A line of a table of names is found by itself, but for what begins a comment or is a network.
static void check_found(enum config_table_kind kind, const struct match *m, struct slice line) {
    line = slice_trim(line);
    bool plain = kind == CONFIG_TABLE_FILE && line.n && line.n <= 64 && line.p[0] != '#';
    for (size_t i = 0; i < line.n && plain; i++)
        plain = ascii_alnum(line.p[i]) || line.p[i] == '@';
    FUZZ_CHECK(!plain || match_has(m, line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const enum config_table_kind kinds[] = {CONFIG_TABLE_FILE, CONFIG_TABLE_INLINE, CONFIG_TABLE_CIDR,
                                                   CONFIG_TABLE_REGEX};
    struct slice in = slice_of(data, size), text, values;
    struct recipient_warnings warnings = {0};
    enum config_table_kind kind = kinds[fuzz_choose(&in, 4)];
    slice_cut(in, '\0', &text, &values);
    struct match *m = match_parse(kind, text, (struct hash_key){{1, 2}}, &warnings);
    FUZZ_CHECK(m);
    for (size_t i = 0; i < 32 && text.n; i++) {
        struct slice line;
        slice_cut(text, '\n', &line, &text);
        check_found(kind, m, line);
    }
    for (size_t i = 0; i < 32 && values.n; i++) {
        struct slice value;
        slice_cut(values, '\n', &value, &values);
        match_has(m, value);
    }
    recipient_warnings_done(&warnings);
    match_free(m);
    return 0;
}
