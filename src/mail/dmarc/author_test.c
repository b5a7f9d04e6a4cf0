// author_test: one author's domain, or a reason why there is none.
#include "mail/dmarc/author.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct row {
    const char *header, *domain, *why; // domain NULL: none, for that reason
} rows[] = {
    {"From: a@Example.ORG\r\n\r\n", "example.org", NULL},
    {"Subject: x\r\nFROM : \"A, B\" (c@x) <a@example.org>\r\n\r\n", "example.org", NULL},
    {"From: a@b\xc3\xbc"
     "cher.example\r\n\r\n",
     "xn--bcher-kva.example", NULL},
    {"From: a@example.org, b@Example.org\r\nSender: a@example.org\r\n\r\n", "example.org", NULL},
    {"From: a@example.org, b@example.org\r\n\r\n", NULL, "From has several addresses and there is no Sender"},
    {"From: a@example.org, b@example.net\r\nSender: a@example.org\r\n\r\n", NULL,
     "From has addresses of different domains"},
    {"From: a@example.org\r\nfrom: a@example.org\r\n\r\n", NULL, "there are several From fields"},
    {"Subject: x\r\n\r\nFrom: a@example.org\r\n", NULL, "there is no From field"},
    {"From: undisclosed:;\r\n\r\n", NULL, "From names no address"},
    {"From: <a@example.org\r\n\r\n", NULL, "From can't be read: "},
    {"", NULL, "there is no From field"},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        struct slice domain = SLICE_EMPTY;
        struct err e = {0};
        bool ok = author_domain(slice_str(rows[i].header), &arena, &domain, &e);
        if (ok != (rows[i].domain != NULL))
            fail_msg("row %zu: %.*s: %s", i, SLICE_ARG(domain), e.text);
        if (ok)
            assert_true(slice_eq(domain, slice_str(rows[i].domain)));
        else if (!slice_starts(slice_str(e.text), slice_str(rows[i].why)))
            fail_msg("row %zu: %s", i, e.text);
    }
}

static void test_several(void **state) {
    static const struct {
        const char *header;
        bool several;
    } cases[] = {
        {"From: a@example.org\r\n\r\n", false},
        {"From: a@example.org, b@EXAMPLE.org\r\n\r\n", false},
        {"From: a@example.org, b@example.net\r\nSender: a@example.org\r\n\r\n", true},
        {"From: a@example.org\r\nSubject: x\r\nFrom: a@example.org\r\n\r\n", true},
        {"Subject: x\r\n\r\nFrom: a@example.org\r\nFrom: a@example.org\r\n", false},
        {"From: <a@example.org\r\n\r\n", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        assert_int_equal(author_is_several(slice_str(cases[i].header), &arena), cases[i].several);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_several)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
