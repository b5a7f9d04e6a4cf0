// config_manual_test: posthouse.conf(5) and the tables say the same. With --print NAME: a part that
// tools/manual puts in.
#include "core/config/config_manual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PAGE SOURCE_ROOT "/doc/posthouse.conf.5"

static void read_page(struct buf *out) {
    FILE *file = fopen(PAGE, "r");
    assert_non_null(file);
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;)
        assert_true(buf_add(out, slice_of(part, n)));
    fclose(file);
}

static const struct {
    const char *name;
    bool (*write)(struct buf *out);
} parts[] = {{"directives", config_manual_write},
             {"facts", config_manual_write_facts},
             {"built-in", config_manual_write_built_in}};

static void test_page_has_the_tables(void **state) {
    BUF_AUTO struct buf page = {.max = 1 << 20};
    read_page(&page);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        BUF_AUTO struct buf wanted = {.max = 1 << 20}, begin = {.max = 64}, end = {.max = 64};
        buf_addf(&begin, ".\\\" begin %s\n", parts[i].name);
        buf_addf(&end, ".\\\" end %s\n", parts[i].name);
        assert_true(parts[i].write(&wanted));
        size_t from = slice_search(buf_slice(&page), buf_slice(&begin)) + begin.n;
        size_t to = slice_search(buf_slice(&page), buf_slice(&end));
        assert_true(from <= to && to < page.n);
        if (!slice_eq(slice_of(page.p + from, to - from), buf_slice(&wanted)))
            fail_msg("doc/posthouse.conf.5: %s are not what the table says; tools/manual puts it right", parts[i].name);
    }
}

static int print(const char *name) {
    BUF_AUTO struct buf out = {.max = 1 << 20};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(name, parts[i].name) == 0)
            return parts[i].write(&out) && fwrite(out.p, 1, out.n, stdout) == out.n ? EXIT_SUCCESS : EXIT_FAILURE;
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page_has_the_tables)};
    if (argc == 3 && strcmp(argv[1], "--print") == 0)
        return print(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
