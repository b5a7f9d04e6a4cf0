// show_test: sizes and times in words, and that foreign text can't move the cursor.
#include "cmd/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void durations(void **state) {
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {{-5, "0 s"}, {59, "59 s"}, {60, "1 min"}, {3600, "1 h 0 min"}, {90000, "1 d 1 h"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        show_duration(text, sizeof text, cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
}

static void sizes(void **state) {
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"}, {3 << 20, "3.0 MiB"}, {5ull << 50, "5120.0 TiB"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        show_size(text, sizeof text, cases[i].bytes);
        assert_string_equal(text, cases[i].text);
    }
}

static void foreign_text_is_harmless(void **state) {
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    show_text(to, "a\033[2Jb\r\n\xff j\xc3\xbcrgen \xe2\x80\xae");
    fclose(to);
    assert_string_equal(text, "a?[2Jb??? j\xc3\xbcrgen ?");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(foreign_text_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
