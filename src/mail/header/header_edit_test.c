// header_edit_test: what filters ask for, and what they may not reach by it.
#include "mail/header/header_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char section[] = "Received: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\n";

// '+' adds, '0'.. inserts at that index, 'a'.. changes the first, second, ... field of that name.
static void edits(void **state) {
    const struct {
        char what;
        struct slice name, value;
        const char *want; // NULL: refused
    } cases[] = {
        {'+', SLICE("X"), SLICE(" y"), "Received: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\nX: y\r\n"},
        {'0', SLICE("X"), SLICE(" y"), "X: y\r\nReceived: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\n"},
        {'2', SLICE("X"), SLICE("y"), "Received: a\r\nSubject: one\r\nX:y\r\nSubject: two\r\n\tfolded\r\nTo: b\r\n"},
        {'9', SLICE("X"), SLICE(""), "Received: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\nX:\r\n"},
        {'a', SLICE("subject"), SLICE(" 1"), "Received: a\r\nsubject: 1\r\nSubject: two\r\n\tfolded\r\nTo: b\r\n"},
        {'b', SLICE("Subject"), SLICE(" 2"), "Received: a\r\nSubject: one\r\nSubject: 2\r\nTo: b\r\n"},
        {'b', SLICE("Subject"), SLICE(""), "Received: a\r\nSubject: one\r\nTo: b\r\n"},
        {'c', SLICE("Subject"), SLICE(""), section},
        {'c', SLICE("Subject"), SLICE(" 3"),
         "Received: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\nSubject: 3\r\n"},
        // what would be another field, the end of the section, or bare
        {'0', SLICE("X"), SLICE(" a\nEvil: b"),
         "X: a\r\n\tEvil: b\r\nReceived: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\n"},
        {'0', SLICE("X"), SLICE(" a\r\n\r\nbody"),
         "X: a\r\n\tbody\r\nReceived: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\n"},
        {'0', SLICE("X"), SLICE(" a\n \n\tb"),
         "X: a\r\n\tb\r\nReceived: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\n"},
        {'0', SLICE("X"), SLICE(" a\rb\0c\n\0\n"),
         "X: a\r\n\tbc\r\nReceived: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\n"},
        {'0', SLICE("X"), SLICE(" a\r\n.\r\nMAIL"),
         "X: a\r\n\t.\r\n\tMAIL\r\nReceived: a\r\nSubject: one\r\nSubject: two\r\n\tfolded\r\nTo: b\r\n"},
        {'0', SLICE(""), SLICE("a"), NULL},
        {'0', SLICE("X Y"), SLICE("a"), NULL},
        {'0', SLICE("X:"), SLICE("a"), NULL},
        {'0', SLICE("X\r\nY"), SLICE("a"), NULL},
        {'0', SLICE("X\xc3\xa4"), SLICE("a"), NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena ARENA_AUTO = {.max = 1 << 20};
        struct buf out BUF_AUTO = {.max = 1 << 20};
        struct header_edit h;
        bool ok;
        assert_true(header_edit_begin(&h, slice_str(section), &arena));
        if (cases[i].what == '+')
            ok = header_edit_add(&h, cases[i].name, cases[i].value);
        else if (cases[i].what <= '9')
            ok = header_edit_insert(&h, (size_t)(cases[i].what - '0'), cases[i].name, cases[i].value);
        else
            ok = header_edit_change(&h, (size_t)(cases[i].what - 'a') + 1, cases[i].name, cases[i].value);
        assert_true(header_edit_write(&h, &out));
        if (ok != (cases[i].want != NULL))
            fail_msg("case %zu", i);
        if (!slice_eq(buf_slice(&out), slice_str(ok ? cases[i].want : section)))
            fail_msg("case %zu: %.*s", i, SLICE_ARG(buf_slice(&out)));
    }
}

// Filters take out the first, the second, ... of a name, counted as they were.
static void counts_what_is_gone(void **state) {
    struct arena arena ARENA_AUTO = {.max = 1 << 20};
    struct buf out BUF_AUTO = {.max = 1 << 20};
    struct header_edit h;
    assert_true(header_edit_begin(&h, SLICE("A: 1\r\nA: 2\r\nA: 3\r\nB: 4"), &arena));
    for (size_t i = 1; i <= 3; i++)
        assert_true(header_edit_change(&h, i, SLICE("A"), SLICE("")));
    assert_true(header_edit_write(&h, &out));
    assert_true(slice_eq(buf_slice(&out), SLICE("B: 4\r\n")));
}

static void is_bounded(void **state) {
    struct arena arena ARENA_AUTO = {.max = 1 << 24};
    struct header_edit h;
    size_t n = 0;
    assert_true(header_edit_begin(&h, SLICE_EMPTY, &arena));
    while (n <= HEADER_EDIT_FIELDS_MAX && header_edit_add(&h, SLICE("A"), SLICE("b")))
        n++;
    assert_int_equal(n, HEADER_EDIT_FIELDS_MAX);
    struct arena small ARENA_AUTO = {.max = 4096};
    assert_true(header_edit_begin(&h, slice_str(section), &small));
    static char big[8192];
    memset(big, 'x', sizeof big);
    assert_false(header_edit_add(&h, SLICE("A"), slice_of(big, sizeof big)));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(edits), cmocka_unit_test(counts_what_is_gone),
                                       cmocka_unit_test(is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
