// fuzz_table: any bytes as a table of users and of aliases; every name in it is expanded within the limits.
#include "core/route/recipient.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "hostname mx.example.org; listen mx *:25\n"
                           "table users file u; table aliases aliases a; table both inline { }\n"
                           "domain a.example { recipients users + aliases; deliver maildir /m }\n"
                           "domain b.example { recipients aliases + both; deliver relay; tag \"-\" }\n"
                           "domain c.example { recipients any; deliver maildir /m }\n";

static void expand(const struct config *c, struct recipient_table **tables, struct slice local, const char *domain) {
    struct arena arena ARENA_AUTO = {.max = 4 << 20};
    struct slice address = arena_printf(&arena, "%.*s@%s", SLICE_ARG(local), domain);
    struct recipients r = {0};
    struct err e;
    if (recipient_expand(c, tables, address, &arena, &r, &e) &&
        (r.n > RECIPIENT_TOTAL_MAX || (r.kind == RECIPIENT_KNOWN) != (r.n > 0)))
        abort();
    for (size_t i = 0; i < r.n; i++)
        if (slice_find(r.list[i].mailbox, '/') < r.list[i].mailbox.n)
            abort();
}

// Every line's first word, and the first line as it is, as a local-part.
static void expand_lines(const struct config *c, struct recipient_table **tables, struct slice lines) {
    for (size_t i = 0; i < 64 && lines.n; i++) {
        struct slice line, name, rest;
        slice_cut(lines, '\n', &line, &lines);
        slice_cut(line, ':', &name, &rest);
        name = slice_trim(slice_upto(name, 300));
        expand(c, tables, name, "a.example");
        expand(c, tables, name, "b.example");
        expand(c, tables, name, "c.example");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const enum config_table_kind kinds[] = {CONFIG_TABLE_FILE, CONFIG_TABLE_ALIASES, CONFIG_TABLE_INLINE};
    struct config_report report;
    struct recipient_warnings warnings = {0};
    struct recipient_table *tables[3];
    struct config *c = config_parse(slice_str(text), SLICE("/d"), &report);
    if (!c)
        abort();
    for (size_t i = 0; i < 3; i++)
        tables[i] = recipient_table_parse(kinds[i], slice_of(data, size), (struct hash_key){{1, 2}}, &warnings);
    expand_lines(c, tables, slice_of(data, size));
    recipient_check(c, tables, &warnings);
    for (size_t i = 0; i < 3; i++)
        recipient_table_free(tables[i]);
    recipient_warnings_done(&warnings);
    config_report_done(&report);
    config_free(c);
    return 0;
}
