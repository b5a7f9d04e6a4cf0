// config_manual_test: posthouse.conf(5) and the schema say the same. With --print: the part that tools/manual puts in.
#include "core/config_manual.h"

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

static void test_page_has_the_schema(void **state) {
    const struct slice begin = SLICE(".\\\" begin directives\n"), end = SLICE(".\\\" end directives\n");
    BUF_AUTO struct buf page = {.max = 1 << 20}, wanted = {.max = 1 << 20};
    read_page(&page);
    assert_true(config_manual_write(&wanted));
    size_t from = slice_search(buf_slice(&page), begin) + begin.n, to = slice_search(buf_slice(&page), end);
    assert_true(from <= to && to < page.n);
    if (!slice_eq(slice_of(page.p + from, to - from), buf_slice(&wanted)))
        fail_msg("doc/posthouse.conf.5 is not what the schema says; tools/manual puts it right");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page_has_the_schema)};
    if (argc == 2 && strcmp(argv[1], "--print") == 0) {
        BUF_AUTO struct buf out = {.max = 1 << 20};
        bool whole = config_manual_write(&out) && fwrite(out.p, 1, out.n, stdout) == out.n;
        return whole ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
