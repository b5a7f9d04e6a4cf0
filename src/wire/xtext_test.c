// xtext_test: what is meant, and what is none.
#include "wire/xtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void decodes(void **state) {
    static const struct {
        const char *text, *meant; // NULL: none
    } cases[] = {
        {"", ""},
        {"a@b.example", "a@b.example"},
        {"e+3Dmc2@example.com", "e=mc2@example.com"},
        {"<>", "<>"},
        {"+2b+2B", "++"},
        {"a+20b", "a b"},
        {"+C3+A9", "é"},
        {"+C3", NULL},
        {"+", NULL},
        {"a+4", NULL},
        {"+4g", NULL},
        {"a+0Ab", NULL},
        {"+00", NULL},
        {"a\nb", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out BUF_AUTO = {.max = 100};
        bool good = xtext_decode(slice_str(cases[i].text), &out);
        if (good != (cases[i].meant != NULL) || (good && !slice_eq(buf_slice(&out), slice_str(cases[i].meant))))
            fail_msg("%s: %d, %.*s", cases[i].text, good, SLICE_ARG(buf_slice(&out)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(decodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
